//! Generates the Rust code and the reflection descriptors of every contract under `proto/`, without `protoc`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "cargo reads a build script's output")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

/// The contracts that are served; what they import comes along.
const SERVICES: [(&str, &str); 4] = [
    ("gateway", "shop/gateway/v1/shop_service.proto"),
    ("order", "shop/order/v1/order_service.proto"),
    ("payment", "shop/payment/v1/payment_service.proto"),
    ("notification", "shop/notification/v1/notification_service.proto"),
];

fn main() -> ExitCode {
    match generate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // protox says `file:line:column: what is wrong` in its `Debug`; its `Display` leaves the place out.
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn generate() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed={}", root.display());

    let files = SERVICES.map(|(_, file)| file);
    let all = protox::Compiler::new([&root])?
        .include_imports(true)
        .include_source_info(true)
        .open_files(files)?
        .file_descriptor_set();
    tonic_prost_build::configure().include_file("contracts.rs").compile_fds(all)?;

    for (service, file) in SERVICES {
        let mut compiler = protox::Compiler::new([&root])?;
        let descriptors = compiler.include_imports(true).open_file(file)?.encode_file_descriptor_set();
        fs::write(out.join(format!("{service}.descriptors.bin")), descriptors)?;
    }
    Ok(())
}
