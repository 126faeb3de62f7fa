//! The file of settings as a JSON Schema (2020-12), for editors and for checks before a file is used.
//!
//! It knows names in capitals and in small letters, flat or as tables. What depends on other settings it does not know:
//! `--check` does.

use serde_json::{Map, Value, json};

use super::plain::plain;
use super::{Kind, Program, Setting};

/// The names of tables in a path.
const SEPARATOR: &str = "__";

impl Program {
    /// The schema.
    pub fn schema(&self) -> Value {
        let mut properties = Map::new();
        for setting in self.settings() {
            let schema = json!({"$ref": format!("#/$defs/{}", setting.name)});
            for name in [setting.name.to_owned(), setting.name.to_lowercase()] {
                nest(&mut properties, &name, &schema);
                properties.insert(name, schema.clone());
            }
        }
        for table in &self.tables {
            let fields: Map<_, _> =
                table.fields.iter().map(|field| (field.name.to_owned(), field.schema())).collect();
            let required: Vec<_> =
                table.fields.iter().filter(|field| field.is_required()).map(|field| field.name).collect();
            let one = json!({
                "type": "object", "properties": fields, "required": required, "additionalProperties": false,
            });
            let schema =
                json!({"type": "array", "description": plain(&table.meaning), "minItems": 1, "items": one});
            properties.insert(table.name.to_owned(), schema);
        }
        let definitions: Map<_, _> =
            self.settings().map(|setting| (setting.name.to_owned(), setting.schema())).collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": format!("The file of settings of {}, which {} names", self.name, self.config),
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "$defs": definitions,
        })
    }
}

/// The same name as a path of tables, where it is one.
fn nest(properties: &mut Map<String, Value>, name: &str, schema: &Value) {
    let Some((table, rest)) = name.split_once(SEPARATOR) else {
        properties.insert(name.to_owned(), schema.clone());
        return;
    };
    let one = properties
        .entry(table)
        .or_insert_with(|| json!({"type": "object", "properties": {}, "additionalProperties": false}));
    if let Some(inner) = one.get_mut("properties").and_then(Value::as_object_mut) {
        nest(inner, rest, schema);
    }
}

impl Setting {
    /// Whether a table must have this field.
    fn is_required(&self) -> bool {
        matches!(self.default, super::Default::Required)
    }

    fn schema(&self) -> Value {
        let mut schema = self.kind.schema();
        if let Some(object) = schema.as_object_mut() {
            let default = self.default.in_words();
            let default =
                if default.is_empty() { String::new() } else { format!(" Default: {}.", plain(&default)) };
            object.insert("description".to_owned(), json!(format!("{}{default}", plain(&self.meaning))));
        }
        schema
    }
}

impl Kind {
    /// As lenient as the program: it takes a number or a switch as text, too, and a list as one text with commas.
    fn schema(&self) -> Value {
        let single = json!({"type": ["string", "number", "boolean"]});
        match self {
            Self::Text(form) => json!({"type": ["string", "number", "boolean"], "title": plain(form)}),
            Self::Word(words) => json!({"enum": words}),
            Self::Number { unit, least, most: u64::MAX } => {
                json!({"title": unit, "anyOf": [{"type": "integer", "minimum": least}, {"type": "string", "pattern": "^[0-9]+$"}]})
            }
            Self::Number { unit, least, most } => {
                json!({"title": unit, "anyOf": [
                    {"type": "integer", "minimum": least, "maximum": most}, {"type": "string", "pattern": "^[0-9]+$"},
                ]})
            }
            Self::Switch => json!({"enum": [true, false, "true", "false", 1, 0, "1", "0"]}),
            Self::List(form) => json!({"title": format!("list of {}", plain(form)), "anyOf": [
                {"type": "string", "pattern": "[^ ,]"}, {"type": ["number", "boolean"]}, {"type": "array", "minItems": 1, "items": single},
            ]}),
            Self::Map(form) => json!({
                "title": format!("table of {}", plain(form)), "type": "object", "minProperties": 1,
                "additionalProperties": {"anyOf": [
                    {"type": ["string", "integer", "boolean"]},
                    {"type": "array", "minItems": 1, "items": {"type": ["string", "integer", "boolean"]}},
                ]},
            }),
        }
    }
}
