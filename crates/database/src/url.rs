use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{TypedValueParser, ValueParserFactory};
use clap::error::ErrorKind;
use clap::{Arg, Command};
use sqlx::any::AnyConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use telemetry::DatabaseSystem;

/// Where a database is: `sqlite://FILE`, or `postgres://USER@HOST:PORT/DATABASE`.
///
/// What else a URL may say is sqlx's ([`SqliteConnectOptions`], [`PgConnectOptions`]). A password stands best in
/// `PGPASSWORD` or a password file, and never appears in this type's texts.
#[derive(Clone)]
pub struct Url(Target);

#[derive(Clone)]
enum Target {
    Sqlite(PathBuf, AnyConnectOptions),
    Postgres(Box<PgConnectOptions>, AnyConnectOptions),
}

/// Reads a [`Url`] from the command line or the environment, and names in its errors the flag, never the value.
#[derive(Clone, Debug)]
pub struct UrlParser;

/// A text that names no database.
#[derive(Debug, thiserror::Error)]
#[error("must be sqlite://FILE or postgres://USER@HOST/DATABASE{}", .0.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
pub struct NotAUrl(Option<String>);

// === impl Url ===

impl Url {
    /// Which database it is of.
    pub fn system(&self) -> DatabaseSystem {
        match &self.0 {
            Target::Sqlite(..) => DatabaseSystem::Sqlite,
            Target::Postgres(..) => DatabaseSystem::Postgresql,
        }
    }

    pub(crate) fn options(&self) -> AnyConnectOptions {
        let (Target::Sqlite(_, options) | Target::Postgres(_, options)) = &self.0;
        options.clone()
    }

    /// The host and port of a server, and its database.
    pub(crate) fn server(&self) -> Option<(String, u16, Option<&str>)> {
        let Target::Postgres(options, _) = &self.0 else { return None };
        let socket = options.get_socket().map(|socket| socket.display().to_string());
        Some((socket.unwrap_or_else(|| options.get_host().to_owned()), options.get_port(), options.get_database()))
    }
}

impl FromStr for Url {
    type Err = NotAUrl;

    fn from_str(text: &str) -> Result<Self, NotAUrl> {
        let (scheme, _) = text.split_once(':').ok_or(NotAUrl(None))?;
        match scheme {
            "sqlite" => sqlite(text),
            "postgres" | "postgresql" => postgres(text),
            _ => Err(NotAUrl(None)),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Sqlite(file, _) => write!(f, "{}", file.display()),
            Target::Postgres(..) => {
                let (host, port, database) = self.server().unwrap_or_default();
                write!(f, "{} on {host}:{port}", database.unwrap_or("the user's database"))
            }
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Url").field(&format_args!("{self}")).finish()
    }
}

impl ValueParserFactory for Url {
    type Parser = UrlParser;

    fn value_parser() -> UrlParser {
        UrlParser
    }
}

// === impl UrlParser ===

impl TypedValueParser for UrlParser {
    type Value = Url;

    fn parse_ref(&self, command: &Command, flag: Option<&Arg>, value: &OsStr) -> Result<Url, clap::Error> {
        let url = value.to_str().ok_or(NotAUrl(None)).and_then(Url::from_str);
        url.map_err(|error| {
            let flag = flag.map(|flag| format!(" for '{flag}'")).unwrap_or_default();
            let told = format!("invalid value{flag}: {error}\n");
            clap::Error::raw(ErrorKind::ValueValidation, told).with_cmd(command)
        })
    }
}

fn sqlite(text: &str) -> Result<Url, NotAUrl> {
    let options = text.parse::<SqliteConnectOptions>().map_err(because)?;
    let file = options.get_filename().to_owned();
    // A database in memory has one connection, and is gone with it.
    if file.as_os_str().is_empty() || text.contains(":memory:") || text.contains("mode=memory") {
        return Err(NotAUrl(Some("it has to be a file".to_owned())));
    }
    let mut any = text.parse::<AnyConnectOptions>().map_err(because)?;
    if !any.database_url.query_pairs().any(|(key, _)| key == "mode") {
        any.database_url.query_pairs_mut().append_pair("mode", "rwc");
    }
    Ok(Url(Target::Sqlite(file, any)))
}

fn postgres(text: &str) -> Result<Url, NotAUrl> {
    let options = text.parse::<PgConnectOptions>().map_err(because)?;
    Ok(Url(Target::Postgres(Box::new(options), text.parse().map_err(because)?)))
}

/// sqlx's errors about a URL name what is wrong in it, not the URL.
fn because(error: sqlx::Error) -> NotAUrl {
    NotAUrl(Some(error.to_string()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Flag {
        #[arg(long, value_name = "URL")]
        database_url: Url,
    }

    #[test]
    fn a_url_names_one_of_the_two_databases() {
        for bad in ["", "order.db", "mysql://shop", "sqlite::memory:", "sqlite://a.db?mode=memory", "sqlite://"] {
            assert!(bad.parse::<Url>().is_err(), "{bad}");
        }
        assert_eq!("sqlite://order.db".parse::<Url>().unwrap().system(), DatabaseSystem::Sqlite);
        for good in ["postgres://shop@db/shop", "postgresql:///shop?host=/run/postgresql&user=shop"] {
            assert_eq!(good.parse::<Url>().unwrap().system(), DatabaseSystem::Postgresql, "{good}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = "postgres://shop:hunter2@db.internal:6432/orders?password=hunter2";
        let Flag { database_url: url } = Flag::try_parse_from(["order", "--database-url", url]).unwrap();
        let shown = format!("{url} {url:?}");
        assert!(shown.contains("orders on db.internal:6432") && !shown.contains("hunter2"), "{shown}");
        for refused in ["postgres://shop:hunter2@db:no-port/orders", "mysql://shop:hunter2@db/orders"] {
            let refused = Flag::try_parse_from(["order", "--database-url", refused]).unwrap_err();
            let told = format!("{refused} {refused:?}");
            assert!(
                told.contains("'--database-url <URL>': must be sqlite://FILE") && !told.contains("hunter2"),
                "{told}"
            );
        }
    }
}
