//! `println!`, `print!` and `eprintln!` for commands: a reader who stops reading (`weir check | head`) ends no command in the middle of its work,
//! as the standard library's do by a panic.

use std::{
    fmt::Arguments,
    io::{self, ErrorKind, Write as _},
};

/// A line of data, to standard output.
#[macro_export]
macro_rules! println {
    () => { $crate::print_line(format_args!("")) };
    ($($argument:tt)*) => { $crate::print_line(format_args!($($argument)*)) };
}

/// Data without the end of its line, to standard output.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::print_text(format_args!($($argument)*)) };
}

/// A line of talk, to standard error.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::tell_line(format_args!("")) };
    ($($argument:tt)*) => { $crate::tell_line(format_args!($($argument)*)) };
}

/// Writes a line to standard output. Nobody reads it any more: that is no fault. What cannot be written for another reason, such
/// as a full disk, ends the process with exit code 1: an answer that is cut short must not pass for a whole one.
#[doc(hidden)]
pub fn print_line(line: Arguments<'_>) {
    print_text(format_args!("{line}\n"));
}

/// The same without the end of the line.
#[doc(hidden)]
pub fn print_text(text: Arguments<'_>) {
    match io::stdout().lock().write_fmt(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            tell_line(format_args!("error: standard output: {error}"));
            std::process::exit(1);
        }
        _ => {}
    }
}

/// Writes a line to standard error. Where that fails there is no place left to say so.
#[doc(hidden)]
pub fn tell_line(line: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
