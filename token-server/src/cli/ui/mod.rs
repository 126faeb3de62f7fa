//! `token-server ui`: the page of a running server in a browser of this machine, for users who may open the admin socket.
//!
//! The browser gets in by an address that works once. What stands in it is exchanged for a token that the page alone knows and
//! that ends with this program, so that neither a history nor a process list has anything that is of use.

mod relay;
mod session;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use service::exit;
use service::places::{Counts, Places};
use service::serve::{MAX_ADMIN_CONNECTIONS, serve};
use service::shutdown::{Shutdown, StopSignals};
use tokio::net::TcpListener;

use self::relay::Relay;
use self::session::Session;
use super::error::CliError;
use super::output;
use super::target::Target;

/// Arguments of `token-server ui`.
#[derive(Debug, Args)]
pub(super) struct Ui {
    /// The port of 127.0.0.1 to listen on; 0: a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
}

/// Serves until a signal; requests that have not ended then, such as live refusals, end with it.
pub(super) async fn run(ui: Ui, target: &Target, admin_socket: Option<PathBuf>) -> Result<(), CliError> {
    let relay = Relay::to(socket(target, admin_socket)?);
    relay.find_page().await?;
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, ui.port));
    let busy = |error| CliError::Argument {
        name: "--port",
        why: format!("cannot listen on {wanted}: {error}; name another, or leave it out for a free one"),
    };
    let listener = TcpListener::bind(wanted).await.map_err(busy)?;
    let address = listener.local_addr().map_err(busy)?;
    let mut stops = StopSignals::install().map_err(CliError::Signals)?;
    let (session, secret) = Session::begin(relay)?;
    output::line(format!("http://{address}/ui/#once={secret}"))?;
    exit::say(
        "token-server",
        &"open this address in a browser of this machine; it works once. Ctrl-C ends it",
    );
    let places = Places::new(MAX_ADMIN_CONNECTIONS, Counts::default());
    tokio::select! {
        () = serve(listener, None, session, places, Shutdown::new()) => {}
        _ = stops.next() => {}
    }
    Ok(())
}

/// The socket that is named on the command line, else the configured one.
fn socket(target: &Target, admin_socket: Option<PathBuf>) -> Result<PathBuf, CliError> {
    target.judge()?;
    Target { server: None, ..target.clone() }.refuse()?;
    match &target.server {
        None => admin_socket.ok_or(CliError::NoTarget),
        Some(server) => server.strip_prefix("unix:").map(PathBuf::from).ok_or_else(|| CliError::Argument {
            name: "--server",
            why:
                "has to be unix:/path here; over TCP open /ui/ of the admin listener, and show a bearer token"
                    .to_owned(),
        }),
    }
}
