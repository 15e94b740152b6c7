//! Any bytes as SQL: the parser answers every statement with a tree or an error whose offset lies in the text.
#![no_main]
use libfuzzer_sys::fuzz_target;
use ringwood_sql::parse::Parser;

fuzz_target!(|data: &[u8]| {
    let mut parser = Parser::new(data);
    while let Some(statement) = parser.next_statement() {
        if let Err(error) = statement {
            assert!(error.offset.is_none_or(|at| at as usize <= data.len()));
            break;
        }
        assert!(parser.tail() <= data.len());
    }
});
