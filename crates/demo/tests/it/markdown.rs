//! What a Markdown text tells its reader to type, and what stands in its tables.

/// A command, and how it ends.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) line: String,
    /// The code of the error that is to be expected, such as `NOT_FOUND`.
    pub(crate) error: Option<String>,
}

/// The commands in the fenced blocks for a shell: each line of a block of `sh`, and what follows a `$` in one of
/// `console`. A line goes on behind a backslash at its end. A code beside the fence's language goes for the whole block.
pub(crate) fn commands(markdown: &str) -> Vec<Told> {
    let mut told = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(fence) = line.strip_prefix("```") else { continue };
        let block: Vec<_> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        let block = block.join("\n").replace("\\\n", " ");
        let (language, error) = fence.split_once(' ').unwrap_or((fence, ""));
        let command = |line: &str| match language {
            "sh" => Some(line.to_owned()).filter(|line| !line.is_empty() && !line.starts_with('#')),
            "console" => line.strip_prefix("$ ").map(str::to_owned),
            _ => None,
        };
        let error = Some(error.to_owned()).filter(|error| !error.is_empty());
        told.extend(block.lines().filter_map(command).map(|line| Told { line, error: error.clone() }));
    }
    told
}

/// The cells of the rows below the table's head, which begins with `head`.
pub(crate) fn table(markdown: &str, head: &str) -> Vec<Vec<String>> {
    let lines = markdown.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = lines.map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(str::to_owned).collect()).collect()
}

#[test]
fn commands_stand_in_blocks_for_a_shell() {
    let sample = "
grpcurl in passing

```sh
# a comment
grpcurl -plaintext a \\
  list

cargo demo
```

```console NOT_FOUND
$ grpcurl b list
ERROR:
```

```text
grpcurl c list
```
";
    let told = |line: &str, error: Option<&str>| Told { line: line.to_owned(), error: error.map(str::to_owned) };
    let expected = [
        told("grpcurl -plaintext a    list", None),
        told("cargo demo", None),
        told("grpcurl b list", Some("NOT_FOUND")),
    ];
    assert_eq!(commands(sample), expected);
}

#[test]
fn a_table_has_rows_of_cells() {
    let sample = "| a |\n\n| what | how |\n|---|---|\n| 1 | `2` |\n| 3 | 4 |\nand so on\n| 5 | 6 |";
    assert_eq!(table(sample, "| what |"), [["1", "`2`"], ["3", "4"]]);
    assert!(table(sample, "| nothing |").is_empty());
}
