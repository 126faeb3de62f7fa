//! Where the master of our keys is, and a connection to it.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, RedisConnectionInfo, RedisResult, Value,
    cmd,
};

use super::settings::{RedisMode, RedisSettings};
use crate::store::StoreError;

/// How long a connection may take, the greeting included.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// A master and a connection to it. Clones share the connection.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) connection: MultiplexedConnection,
    info: ConnectionInfo,
    /// Tells connections apart.
    identity: Arc<()>,
}

impl Node {
    /// Connects to the master as it is known to be now.
    pub(super) async fn find(settings: &RedisSettings, answer_limit: Duration) -> Result<Self, StoreError> {
        let mut last = "none is configured".to_owned();
        for info in masters(settings).await? {
            match connect(info, answer_limit).await {
                Ok(node) => return Ok(node),
                Err(error) => last = error.to_string(),
            }
        }
        Err(StoreError::NoMaster { last })
    }

    /// A connection to the same server that hears what is published there.
    pub(crate) async fn pubsub(&self) -> RedisResult<PubSub> {
        Client::open(self.info.clone())?.get_async_pubsub().await
    }

    /// The database in which the keys are.
    pub(crate) fn database(&self) -> i64 {
        self.info.redis_settings().db()
    }

    /// Another node, which has been told that its next command comes by redirection.
    pub(super) async fn ask_at(&self, host: &str, port: u16, answer_limit: Duration) -> RedisResult<Self> {
        let info = at(&self.info, host.to_owned(), port);
        let mut connection = open(info.clone(), answer_limit).await?;
        cmd("ASKING").exec_async(&mut connection).await?;
        Ok(Self { connection, info, identity: Arc::new(()) })
    }

    pub(super) fn is_connected_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.identity, &other.identity)
    }

    pub(super) fn is_at(&self, other: &Self) -> bool {
        self.info.addr() == other.info.addr()
    }

    /// Whether those who would know name another master. Silence is no answer.
    pub(super) async fn is_deposed(&self, settings: &RedisSettings) -> bool {
        match settings.mode {
            RedisMode::Standalone => false,
            RedisMode::Sentinel { .. } | RedisMode::Cluster => {
                let masters = masters(settings).await.unwrap_or_default();
                !masters.is_empty() && !masters.iter().any(|master| master.addr() == self.info.addr())
            }
        }
    }
}

async fn connect(info: ConnectionInfo, answer_limit: Duration) -> RedisResult<Node> {
    let mut connection = open(info.clone(), answer_limit).await?;
    // A replica would answer reads too, later than the master. Redis before 6 does not know HELLO, and is believed.
    let greeting = cmd("HELLO").query_async::<Value>(&mut connection).await.unwrap_or(Value::Nil);
    match role(&greeting) {
        Some("master") | None => Ok(Node { connection, info, identity: Arc::new(()) }),
        Some(_) => Err((redis::ErrorKind::Client, "the server is a replica").into()),
    }
}

async fn open(info: ConnectionInfo, answer_limit: Duration) -> RedisResult<MultiplexedConnection> {
    let limits = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(answer_limit));
    Client::open(info)?.get_multiplexed_async_connection_with_config(&limits).await
}

fn role(greeting: &Value) -> Option<&str> {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    };
    let pairs: Vec<(&Value, &Value)> = match greeting {
        Value::Map(pairs) => pairs.iter().map(|(name, value)| (name, value)).collect(),
        Value::Array(items) => {
            items.chunks_exact(2).filter_map(|pair| pair.first().zip(pair.get(1))).collect()
        }
        _ => Vec::new(),
    };
    let (_, value) = pairs.into_iter().find(|(name, _)| text(name).as_deref() == Some("role"))?;
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// The servers that may be the master, best first.
async fn masters(settings: &RedisSettings) -> Result<Vec<ConnectionInfo>, StoreError> {
    let servers = settings.servers()?;
    if settings.mode == RedisMode::Standalone {
        return Ok(servers);
    }
    let mut last = "none is configured".to_owned();
    for server in &servers {
        let asked = match &settings.mode {
            RedisMode::Sentinel { master } => ask_sentinel(server, master).await,
            RedisMode::Standalone | RedisMode::Cluster => ask_cluster(server, settings).await,
        };
        match asked {
            Ok(Some((host, port))) => return Ok(vec![at(server, host, port)]),
            Ok(None) => last = "it knows no master".to_owned(),
            Err(error) => last = error.to_string(),
        }
    }
    Err(StoreError::NoMaster { last })
}

/// Sentinels seldom ask for the password that the servers ask for; those that do get it.
async fn ask_sentinel(sentinel: &ConnectionInfo, master: &str) -> RedisResult<Option<(String, u16)>> {
    let question = async |info: ConnectionInfo| {
        let mut connection = open(info, CONNECT_LIMIT).await?;
        cmd("SENTINEL").arg("get-master-addr-by-name").arg(master).query_async(&mut connection).await
    };
    let anonymous = sentinel.clone().set_redis_settings(RedisConnectionInfo::default());
    match question(anonymous).await {
        Err(error) if error.code() == Some("NOAUTH") => {
            let full = sentinel.redis_settings().clone().set_db(0);
            question(sentinel.clone().set_redis_settings(full)).await
        }
        answered => answered,
    }
}

/// All keys share a hash tag and so a slot; its first server is its master.
async fn ask_cluster(node: &ConnectionInfo, settings: &RedisSettings) -> RedisResult<Option<(String, u16)>> {
    let mut connection = open(node.clone(), CONNECT_LIMIT).await?;
    let key = settings.keys.changed();
    let slot: i64 = cmd("CLUSTER").arg("KEYSLOT").arg(key).query_async(&mut connection).await?;
    let ranges: Vec<Vec<Value>> = cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
    Ok(ranges.iter().find_map(|range| match range.as_slice() {
        [Value::Int(from), Value::Int(to), Value::Array(master), ..] if (*from..=*to).contains(&slot) => {
            node_address(master, node)
        }
        _ => None,
    }))
}

/// A node that does not say its host is reached as the one that was asked.
fn node_address(node: &[Value], asked: &ConnectionInfo) -> Option<(String, u16)> {
    let (host, port) = match node {
        [host, Value::Int(port), ..] => (host, u16::try_from(*port).ok()?),
        _ => return None,
    };
    let host = match host {
        Value::BulkString(bytes) if !bytes.is_empty() && bytes != b"?" => {
            String::from_utf8(bytes.clone()).ok()?
        }
        _ => match asked.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.clone(),
            _ => return None,
        },
    };
    Some((host, port))
}

/// Another server, reached as this one is.
fn at(like: &ConnectionInfo, host: String, port: u16) -> ConnectionInfo {
    let address = match like.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host, port),
    };
    like.clone().set_addr(address)
}
