//! Makes docs/REFERENCE.md, the schemas and the samples of what the programs print of themselves.

use std::process::ExitCode;

use integration_tests::reference;

fn main() -> ExitCode {
    let written = reference::made().and_then(|files| {
        for file in files {
            file.write().map_err(|error| format!("{}: {error}", file.path))?;
        }
        Ok(())
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reference: {error}");
            ExitCode::FAILURE
        }
    }
}
