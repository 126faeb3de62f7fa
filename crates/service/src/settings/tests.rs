use super::*;
use std::io::Write as _;

fn load(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Settings::load("APP__", "APP_CONFIG", variables)
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn the_environment_wins_over_the_file() {
    let file = file(
        "APP__PORT = 1\n[app.store]\npath = \"/a\"\nlist = [\"x,y\", \"z\"]\n[APP.Store.Deep]\nON = true",
    );
    let path = file.path().to_str().unwrap();
    let mut settings = load(&[("APP_CONFIG", path), ("APP__STORE__PATH", "/b"), ("OTHER", "1")]).unwrap();
    assert_eq!(settings.parse::<u16>("APP__PORT", "a port"), Some(1));
    assert_eq!(settings.text("APP__STORE__PATH").as_deref(), Some("/b"));
    assert_eq!(settings.list("APP__STORE__LIST").unwrap(), ["x,y", "z"]);
    assert_eq!(settings.flag("APP__STORE__DEEP__ON"), Some(true));
    assert_eq!(settings.finish(), Ok(()));
}

#[test]
fn a_word_means_what_stands_beside_it_and_another_names_them_all() {
    const WORDS: &[(&str, u8)] = &[("off", 0), ("sample", 1), ("all", 2)];
    for (text, meant) in [("off", Some(0)), (" all ", Some(2)), ("ALL", None), ("of", None)] {
        let mut settings = load(&[("APP__LOG", text)]).unwrap();
        assert_eq!(settings.word("APP__LOG", WORDS), meant, "{text}");
        let faults = settings.finish().map_err(|error| error.to_string());
        let told =
            faults.as_ref().err().is_some_and(|told| told.contains("APP__LOG: expected off, sample or all"));
        assert_eq!(told, meant.is_none(), "{faults:?}");
    }
    let mut settings = load(&[("APP__LOG", "x")]).unwrap();
    assert_eq!(settings.word("APP__LOG", WORDS.get(..2).unwrap()), None);
    assert!(settings.finish().unwrap_err().to_string().contains("expected off or sample"));
}

#[test]
fn all_faults_come_together_with_the_nearest_known_name() {
    let mut settings =
        load(&[("APP__PORT", "s3cret"), ("APP__STORE__PTH", "/b"), ("APP__ZZZZ", "1"), ("APP__ON", "maybe")])
            .unwrap();
    assert_eq!(settings.parse::<u16>("APP__PORT", "a port"), None);
    assert_eq!(settings.flag("APP__ON"), None);
    assert_eq!(settings.text("APP__STORE__PATH"), None);
    let error = settings.finish().unwrap_err();
    assert_eq!(
        error.to_string(),
        "APP__PORT: expected a port\n\
         APP__ON: expected true or false\n\
         APP__STORE__PTH: no such setting; did you mean APP__STORE__PATH?\n\
         APP__ZZZZ: no such setting; did you mean APP__ON?"
    );
}

#[test]
fn a_file_that_cannot_be_trusted_ends_the_reading() {
    let broken = file("APP__PORT = ");
    let stranger = file("port = 1");
    for (path, expected) in [
        ("/nonexistent/app.toml", "APP_CONFIG: cannot read the file"),
        (
            broken.path().to_str().unwrap(),
            &format!("APP_CONFIG: {}: line 1: the file is not TOML: ", broken.path().display()),
        ),
        (stranger.path().to_str().unwrap(), "PORT: no such setting in the file"),
    ] {
        let error = load(&[("APP_CONFIG", path)]).err().unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_fault_of_the_file_says_which_line_and_why_and_quotes_nothing() {
    for (text, line, cause) in [
        ("APP__A = 1\nAPP__B = s3cret\n", 2, "quoted"),
        ("APP__A = \"s3cret\n", 1, ""),
        ("\n\nAPP__A = s3cret s3cret\n", 3, ""),
        ("APP__A = 1\nAPP__A = \"s3cret\"\n", 2, "duplicate key"),
        ("[a\nAPP__A = \"s3cret\"\n", 1, ""),
        ("APP__A = 1\n[[issuers]]\nx = [\"s3cret\", \n", 3, ""),
    ] {
        let file = file(text);
        let path = file.path().to_str().unwrap();
        let error = load(&[("APP_CONFIG", path)]).err().unwrap().to_string();
        assert!(
            error.starts_with(&format!("APP_CONFIG: {path}: line {line}: the file is not TOML: ")),
            "{error}"
        );
        assert!(error.contains(cause) && !error.contains("s3cret") && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn a_word_that_is_not_known_is_named_with_the_nearest() {
    let cases = [
        ("a,RS257", "APP__LIST: RS257 is no kind; there are ES256, RS256, a; did you mean RS256?"),
        ("\u{1b}[31mx", "APP__LIST: an item is no kind; there are ES256, RS256, a; did you mean "),
    ];
    for (value, expected) in cases {
        let mut settings = load(&[("APP__LIST", value)]).unwrap();
        let known = ["RS256", "ES256", "a"];
        assert!(settings.words::<Known>("APP__LIST", "kind", known).is_none());
        let error = settings.finish().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

struct Known;

impl FromStr for Known {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        (text == "a").then_some(Self).ok_or(())
    }
}

#[test]
fn numbers_in_the_file_keep_their_digits() {
    let file = file("APP__A = \"007\"\nAPP__B = \"1e5\"");
    let mut settings = load(&[("APP_CONFIG", file.path().to_str().unwrap())]).unwrap();
    assert_eq!(settings.text("APP__A").as_deref(), Some("007"));
    assert_eq!(settings.text("APP__B").as_deref(), Some("1e5"));
}

#[test]
fn tables_are_read_one_by_one_and_their_faults_say_where() {
    let file = file(
        "[[issuers]]\nissuer = \"a\"\nleeway = 5\nclaims = { \"r.x\" = [\"p\", 7], t = true }\n\
         [[issuers]]\nissuer = [\"b\"]\nleway = 1\nclaims = { x = 1.5 }\n[[isuers]]\nissuer = \"c\"\n",
    );
    let mut settings = load(&[("APP_CONFIG", file.path().to_str().unwrap())]).unwrap();
    let mut tables = settings.tables("issuers").into_iter();
    let mut first = tables.next().unwrap();
    assert_eq!(first.text("issuer").as_deref(), Some("a"));
    assert_eq!(first.parse::<u64>("leeway", "seconds"), Some(5));
    assert_eq!(
        first.values("claims"),
        [
            ("r.x".to_owned(), vec![Scalar::Text("p".into()), Scalar::Int(7)]),
            ("t".to_owned(), vec![Scalar::Bool(true)])
        ]
    );
    settings.adopt(first);
    let mut second = tables.next().unwrap();
    assert_eq!(second.text("issuer"), None);
    assert!(second.parse::<u64>("leeway", "seconds").is_none() && second.values("claims").is_empty());
    settings.adopt(second);
    assert_eq!(
        settings.finish().unwrap_err().to_string(),
        "issuers[1].issuer: expected one value, found a list or a table\n\
         issuers[1].claims: expected a table of strings, integers, truth values, or arrays of them\n\
         issuers[1].leway: no such setting; did you mean leeway?\n\
         [[isuers]]: no such table; did you mean [[issuers]]?"
    );
}

#[test]
fn an_empty_list_is_a_fault_wherever_it_stands() {
    for value in ["", " ", ",", " , ,"] {
        let mut settings = load(&[("APP__HOSTS", value)]).unwrap();
        assert_eq!(settings.list("APP__HOSTS"), None);
        assert_eq!(settings.parse_list::<u16>("APP__HOSTS", "ports"), None);
        let text = settings.finish().unwrap_err().to_string();
        assert_eq!(
            text, "APP__HOSTS: is an empty list; name at least one value, or leave it out",
            "{value:?}"
        );
    }
    for (line, what) in [
        ("list = []", "list: is an empty list"),
        ("list = [\"\"]", "list: is an empty list"),
        ("list = [\" \", \"\"]", "list: is an empty list"),
        ("list = \"\"", "list: is an empty list"),
        ("list = [[\"a\"]]", "list: expected a list of single values"),
        ("list = [\"a\", [\"b\"]]", "list: expected a list of single values"),
        ("list = { a = 1 }", "list: expected a list of single values"),
        ("values = {}", "values: is an empty table"),
        ("values = { a = [] }", "values: is an empty list"),
        ("values = { a = [1], b = [] }", "values: is an empty list"),
        ("values = { \"\" = [1] }", "values: has an empty name"),
        ("text = \"\"", "text: is empty; give it a value, or leave it out"),
        ("text = \" \"", "text: is empty"),
    ] {
        let file = file(&format!("[[rows]]\n{line}\n"));
        let mut settings = load(&[("APP_CONFIG", file.path().to_str().unwrap())]).unwrap();
        for mut row in settings.tables("rows") {
            assert_eq!((row.list("list"), row.values("values"), row.text("text")), (None, vec![], None));
            settings.adopt(row);
        }
        let text = settings.finish().unwrap_err().to_string();
        assert!(text.starts_with(&format!("rows[0].{what}")), "{line}: {text}");
        assert_eq!(text.lines().count(), 1, "{line}: {text}");
    }
}

#[test]
fn a_variable_that_is_set_to_nothing_is_unset_unless_it_is_a_list() {
    let mut settings = load(&[("APP__PORT", ""), ("APP__ON", " ")]).unwrap();
    assert_eq!((settings.parse::<u16>("APP__PORT", "a port"), settings.flag("APP__ON")), (None, None));
    assert_eq!(settings.finish(), Ok(()));
}

#[test]
fn the_file_of_the_command_line_is_read_and_another_one_beside_it_is_a_fault() {
    let (one, other) = (file("APP__PORT = 1"), file("APP__PORT = 2"));
    let read = |variable: &str, option: Option<&std::path::Path>| {
        let mut environment = Environment::of([("APP_CONFIG".into(), variable.into())]);
        environment.config = option.map(Into::into);
        Settings::read("APP__", "APP_CONFIG", environment).map(|mut settings| settings.text("APP__PORT"))
    };
    let [path, second] = [&one, &other].map(|file| file.path().to_str().unwrap());
    let round = format!("{}/../{path}", one.path().parent().unwrap().display());
    for (variable, option, expected) in
        [("", one.path(), "1"), (path, one.path(), "1"), (&round, one.path(), "1"), (" ", other.path(), "2")]
    {
        assert_eq!(read(variable, Some(option)).unwrap().as_deref(), Some(expected), "{variable}");
    }
    assert_eq!(read(second, None).unwrap().as_deref(), Some("2"));
    let fault = read(second, Some(one.path())).unwrap_err().to_string();
    assert_eq!(
        fault,
        format!("--config: names {path}, and APP_CONFIG names {second}; leave one of them out")
    );
    let fault = read("", Some("/nonexistent/app.toml".as_ref())).unwrap_err().to_string();
    assert!(fault.starts_with("--config: cannot read the file /nonexistent/app.toml: "), "{fault}");
}

#[test]
fn one_setting_alone_is_looked_for_in_the_file_of_the_command_line() {
    let (one, other) = (file("APP__PORT = '1'"), file("APP__PORT = '2'"));
    let environment = [(OsString::from("APP_CONFIG"), one.path().into())];
    let port = |environment: &[_]| glance("APP__PORT", "APP_CONFIG", environment);
    assert_eq!(port(&with_file(&environment, "APP_CONFIG", None)).as_deref(), Some("1"));
    assert_eq!(port(&with_file(&environment, "APP_CONFIG", Some(other.path()))).as_deref(), Some("2"));
}
