//! What `--check` says of open streams.

use super::Checked;
use crate::config::Config;
use crate::haproxy::runtime::{Level, Runtime, RuntimeError, told};

impl Checked {
    /// Where HAProxy is given verdicts too, its sockets are looked at for those.
    pub(super) async fn streams(&mut self, config: &Config, online: bool) {
        let Some(streams) = &config.streams else { return };
        let until = match streams.terms.grace {
            None => String::new(),
            Some(grace) => format!(", or {} s after it can be judged no more", grace.as_secs()),
        };
        self.lines.push(format!("open streams: up to {} end with their token{until}", streams.terms.size));
        if config.edge.is_some() {
            return;
        }
        for socket in &streams.sockets {
            let name = socket.display();
            if !online {
                self.lines.push(format!("{name}: asked with --online"));
                continue;
            }
            match version(Runtime::open(socket).await).await {
                Ok(version) => self.lines.push(format!("{name}: HAProxy {version}, level admin")),
                Err(why) => self.unanswered.push(format!("JWT_EDGE_SOCKETS: {name}: {why}")),
            }
        }
    }
}

/// The version of a HAProxy that can be told to end streams.
async fn version(opened: Result<Runtime, RuntimeError>) -> Result<String, String> {
    let told_with_cure = |error: RuntimeError| format!("{error}{}", error.cure());
    let mut runtime = opened.map_err(told_with_cure)?;
    if runtime.level != Level::Admin {
        return Err("the stats socket does not allow to end streams: it needs `level admin` in haproxy.cfg"
            .to_owned());
    }
    let info = runtime.ask("show info\n").await.map_err(told_with_cure)?;
    Ok(told(&info, "Version").unwrap_or_default().to_owned())
}
