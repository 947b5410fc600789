//! The `equilibria` command: see `equilibria --help`.

fn main() -> std::process::ExitCode {
    equilibria::cli::run()
}
