//! `scripts/package-lambda.py`: what AWS could not execute is refused before anything is deployed, and what runs on this machine
//! is packed as it is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use weir_tests::{repo, weir};

/// `e_machine` of an ELF file: where it stands, and the numbers of Lambda's two architectures.
const MACHINE_AT: usize = 18;
const ARM64: u16 = 0xB7;
const X86_64: u16 = 0x3E;

/// The head of an ELF file of 64 bits, little-endian, and the versions of glibc that its symbols name.
fn elf(machine: u16, symbols: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0u8; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[MACHINE_AT..MACHINE_AT + 2].copy_from_slice(&machine.to_le_bytes());
    for symbol in symbols {
        bytes.extend_from_slice(symbol.as_bytes());
        bytes.push(0);
    }
    bytes
}

struct Packed {
    code: Option<i32>,
    said: String,
    zip: PathBuf,
}

impl Packed {
    /// What was written beside the zip for Terraform.
    fn marker(&self) -> Option<String> {
        fs::read_to_string(self.zip.with_extension("zip.arch")).ok()
    }
}

fn pack(folder: &Path, binary: &Path, architecture: Option<&str>) -> Packed {
    let zip = folder.join("dist/alerter.zip");
    let mut command = Command::new("python3");
    command.arg(repo().join("scripts/package-lambda.py"));
    command.args(architecture.map(|name| ["--arch", name]).into_iter().flatten()).arg(binary).arg(&zip);
    let output = command.output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    Packed { code: output.status.code(), said, zip }
}

fn pack_bytes(bytes: &[u8], architecture: Option<&str>) -> (tempfile::TempDir, Packed) {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("built");
    fs::write(&binary, bytes).unwrap();
    let packed = pack(folder.path(), &binary, architecture);
    (folder, packed)
}

#[test]
fn what_lambda_could_not_execute_is_refused() {
    let mach_o = [b"\xcf\xfa\xed\xfe\x0c\x00\x00\x01".as_slice(), &[0; 64]].concat();
    let universal = [b"\xca\xfe\xba\xbe\x00\x00\x00\x02".as_slice(), &[0; 64]].concat();
    let mut big_endian = elf(ARM64, &[]);
    big_endian[5] = 2;
    let mut of_32_bits = elf(0x28, &[]);
    of_32_bits[4] = 1;
    let cases: [(&str, Vec<u8>, &str, &str); 10] = [
        ("the other machine", elf(X86_64, &[]), "arm64", "the binary is for x86_64, not for arm64"),
        ("the other way round", elf(ARM64, &[]), "x86_64", "the binary is for arm64, not for x86_64"),
        ("no machine of Lambda", elf(0xF3, &[]), "arm64", "the binary is for machine 0xf3, not for arm64"),
        ("macOS", mach_o, "arm64", "the binary is for macOS, Lambda runs Linux"),
        ("macOS, two machines in one", universal, "x86_64", "the binary is for macOS, Lambda runs Linux"),
        ("32 bits", of_32_bits, "arm64", "the binary is no 64-bit ELF file"),
        ("big-endian", big_endian, "arm64", "the binary is no 64-bit ELF file"),
        ("a script", b"#!/bin/sh\n".to_vec(), "x86_64", "the binary is no 64-bit ELF file"),
        ("nothing", vec![], "arm64", "the binary is no 64-bit ELF file"),
        (
            "a newer glibc",
            elf(ARM64, &["GLIBC_2.17", "GLIBC_2.38", "GLIBC_2.4"]),
            "arm64",
            "the binary needs glibc 2.38, Lambda's provided.al2023 has 2.34",
        ),
    ];
    for (what, bytes, architecture, why) in cases {
        let (_folder, packed) = pack_bytes(&bytes, Some(architecture));
        assert_eq!(packed.code, Some(1), "{what}: {}", packed.said);
        assert!(
            packed.said.contains(why) && packed.said.contains("\nhint: make package ARCH="),
            "{what}: {}",
            packed.said
        );
        assert!(!packed.zip.exists() && packed.marker().is_none(), "{what}: nothing is left that could be deployed");
    }
}

#[test]
fn what_it_was_built_for_stands_beside_the_zip_that_was_checked() {
    for (machine, architecture) in [(ARM64, "arm64"), (X86_64, "x86_64")] {
        let (folder, packed) = pack_bytes(&elf(machine, &["GLIBC_2.17", "GLIBC_2.34"]), Some(architecture));
        assert_eq!(packed.code, Some(0), "{}", packed.said);
        let hash = Command::new("python3")
            .args([
                "-c",
                "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest(), end='')",
            ])
            .arg(&packed.zip)
            .output()
            .unwrap();
        let hash = String::from_utf8(hash.stdout).unwrap();
        assert_eq!(packed.marker(), Some(format!("{architecture} {hash}\n")));
        // The same binary gives the same bytes.
        let first = fs::read(&packed.zip).unwrap();
        fs::remove_file(&packed.zip).unwrap();
        assert_eq!(pack(folder.path(), &folder.path().join("built"), Some(architecture)).code, Some(0));
        assert_eq!(fs::read(&packed.zip).unwrap(), first);
    }
}

#[test]
fn no_limit_of_aws_stops_the_local_stack() {
    for bytes in [elf(X86_64, &["GLIBC_2.41"]), b"\xcf\xfa\xed\xfe\x0c\x00\x00\x01".to_vec(), elf(ARM64, &[])] {
        let (folder, packed) = pack_bytes(&bytes, None);
        assert_eq!((packed.code, packed.marker()), (Some(0), None), "{}", packed.said);
        let bootstrap = Command::new("python3")
            .args([
                "-c",
                "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read('bootstrap'))",
            ])
            .arg(folder.path().join("dist/alerter.zip"))
            .output()
            .unwrap();
        assert_eq!(bootstrap.stdout, bytes);
    }
}

#[test]
fn a_package_of_this_machine_is_not_taken_for_one_that_was_checked() {
    let (folder, packed) = pack_bytes(&elf(ARM64, &[]), Some("arm64"));
    assert!(packed.marker().is_some());
    assert_eq!(pack(folder.path(), &folder.path().join("built"), None).code, Some(0));
    assert_eq!(packed.marker(), None);
}

#[test]
fn a_real_binary_is_known_by_its_machine() {
    let weir = PathBuf::from(weir(&[]).get_program());
    let folder = tempfile::tempdir().unwrap();
    let own = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let other = if own == "arm64" { "x86_64" } else { "arm64" };
    let packed = pack(folder.path(), &weir, Some(other));
    assert_eq!(packed.code, Some(1), "{}", packed.said);
    let why =
        if cfg!(target_os = "macos") { "is for macOS".to_owned() } else { format!("is for {own}, not for {other}") };
    assert!(packed.said.contains(&why), "{}", packed.said);
}

#[test]
fn an_unknown_architecture_is_told_the_known_ones() {
    for unknown in ["aarch64", "riscv", ""] {
        let output = Command::new(repo().join("scripts/package-lambda.sh")).arg(unknown).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("arm64|x86_64|local"), "{unknown}: {said}");
    }
}
