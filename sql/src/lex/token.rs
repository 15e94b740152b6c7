//! Kinds of tokens, and the keyword table.
//!
//! The order of [`Token`] matters: keywords that may also be identifiers come first, then [`Token::Id`], so
//! that "can stand where a plain identifier is wanted" is one compare. Which keywords those are is the
//! `%fallback` list of SQLite's grammar; the parser always asks for the keyword first where the grammar has
//! it at that point, and falls back only then. Last come those that need a second look as soon as they are
//! read.
//!
//! Keywords are found by a perfect hash over four of their letters and their length, computed at compile time;
//! [`KEYWORDS`] is sorted, the table of slots is derived from it, and the build fails on a collision.

/// The kinds of tokens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Token {
    // Keywords that fall back to identifiers.
    /// ABORT
    Abort,
    /// ACTION
    Action,
    /// AFTER
    After,
    /// ALWAYS
    Always,
    /// ANALYZE
    Analyze,
    /// ASC
    Asc,
    /// ATTACH
    Attach,
    /// BEFORE
    Before,
    /// BEGIN
    Begin,
    /// BY
    By,
    /// CASCADE
    Cascade,
    /// CAST
    Cast,
    /// COLUMN
    Column,
    /// CONFLICT
    Conflict,
    /// CURRENT_DATE, CURRENT_TIME, CURRENT_TIMESTAMP
    TimeWord,
    /// CURRENT
    Current,
    /// DATABASE
    Database,
    /// DEFERRED
    Deferred,
    /// DESC
    Desc,
    /// DETACH
    Detach,
    /// DO
    Do,
    /// EACH
    Each,
    /// END
    End,
    /// EXCLUDE
    Exclude,
    /// EXCLUSIVE
    Exclusive,
    /// EXPLAIN
    Explain,
    /// FAIL
    Fail,
    /// FIRST
    First,
    /// FOLLOWING
    Following,
    /// FOR
    For,
    /// GENERATED
    Generated,
    /// GROUPS
    Groups,
    /// IF
    If,
    /// IGNORE
    Ignore,
    /// IMMEDIATE
    Immediate,
    /// INITIALLY
    Initially,
    /// INSTEAD
    Instead,
    /// KEY
    Key,
    /// LAST
    Last,
    /// GLOB, LIKE, REGEXP
    LikeWord,
    /// MATCH
    Match,
    /// MATERIALIZED
    Materialized,
    /// NO
    No,
    /// NULLS
    Nulls,
    /// OF
    Of,
    /// OFFSET
    Offset,
    /// OTHERS
    Others,
    /// PARTITION
    Partition,
    /// PLAN
    Plan,
    /// PRAGMA
    Pragma,
    /// PRECEDING
    Preceding,
    /// QUERY
    Query,
    /// RAISE
    Raise,
    /// RANGE
    Range,
    /// RECURSIVE
    Recursive,
    /// REINDEX
    Reindex,
    /// RELEASE
    Release,
    /// RENAME
    Rename,
    /// REPLACE
    Replace,
    /// RESTRICT
    Restrict,
    /// ROLLBACK
    Rollback,
    /// ROW
    Row,
    /// ROWS
    Rows,
    /// SAVEPOINT
    Savepoint,
    /// TEMP, TEMPORARY
    Temp,
    /// TIES
    Ties,
    /// TRIGGER
    Trigger,
    /// UNBOUNDED
    Unbounded,
    /// VACUUM
    Vacuum,
    /// VIEW
    View,
    /// VIRTUAL
    Virtual,
    /// WITH
    With,
    /// WITHOUT
    Without,
    /// An identifier, bare or in `"…"`, `` `…` ``, `[…]`.
    Id,
    // Keywords that never are identifiers; three of them may be names (see `is_name`).
    /// ADD
    Add,
    /// ALL
    All,
    /// ALTER
    Alter,
    /// AND
    And,
    /// AS
    As,
    /// AUTOINCREMENT
    Autoincrement,
    /// BETWEEN
    Between,
    /// CASE
    Case,
    /// CHECK
    Check,
    /// COLLATE
    Collate,
    /// COMMIT
    Commit,
    /// CONSTRAINT
    Constraint,
    /// CREATE
    Create,
    /// DEFAULT
    Default,
    /// DEFERRABLE
    Deferrable,
    /// DELETE
    Delete,
    /// DISTINCT
    Distinct,
    /// DROP
    Drop,
    /// ELSE
    Else,
    /// ESCAPE
    Escape,
    /// EXCEPT
    Except,
    /// EXISTS
    Exists,
    /// FOREIGN
    Foreign,
    /// FROM
    From,
    /// GROUP
    Group,
    /// HAVING
    Having,
    /// IN
    In,
    /// INDEX
    Index,
    /// INDEXED
    Indexed,
    /// INSERT
    Insert,
    /// INTERSECT
    Intersect,
    /// INTO
    Into,
    /// IS
    Is,
    /// ISNULL
    Isnull,
    /// JOIN
    Join,
    /// CROSS, FULL, INNER, LEFT, NATURAL, OUTER, RIGHT
    JoinWord,
    /// LIMIT
    Limit,
    /// NOT
    Not,
    /// NOTHING
    Nothing,
    /// NOTNULL
    Notnull,
    /// NULL
    Null,
    /// ON
    On,
    /// OR
    Or,
    /// ORDER
    Order,
    /// PRIMARY
    Primary,
    /// REFERENCES
    References,
    /// RETURNING
    Returning,
    /// SELECT
    Select,
    /// SET
    Set,
    /// TABLE
    Table,
    /// THEN
    Then,
    /// TO
    To,
    /// TRANSACTION
    Transaction,
    /// UNION
    Union,
    /// UNIQUE
    Unique,
    /// UPDATE
    Update,
    /// USING
    Using,
    /// VALUES
    Values,
    /// WHEN
    When,
    /// WHERE
    Where,
    // Literals.
    /// `'…'`
    String,
    /// `x'…'`
    Blob,
    /// Digits, or 0x and hexadecimal digits.
    Integer,
    /// A number with a point or an exponent.
    Float,
    /// A number with `_` between digits.
    SeparatedNumber,
    /// `?`, `?1`, `:a`, `@a`, `$a`, `#a`
    Variable,
    // Punctuation.
    /// `;`
    Semicolon,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `=`, `==`
    Eq,
    /// `<>`, `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `~`
    BitNot,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `%`
    Percent,
    /// `||`
    Concat,
    /// `->`, `->>`
    Arrow,
    // What the parser must look at more closely when it comes up; keep these last.
    /// FILTER
    Filter,
    /// OVER
    Over,
    /// WINDOW
    Window,
    /// What no token begins with, and what was begun and not ended.
    Illegal,
    /// The end of the text, or a NUL byte.
    EndOfText,
}

impl Token {
    /// Whether it needs a second look: a word that is a keyword in context only, an error, or the end.
    #[inline(always)]
    pub const fn is_special(self) -> bool {
        self as u8 >= Token::Filter as u8
    }

    /// Whether it can stand for an identifier: SQLite's ID with its fallbacks.
    #[inline(always)]
    pub const fn is_id(self) -> bool {
        self as u8 <= Token::Id as u8
    }

    /// Whether it can be a name of an object: an identifier, a string, INDEXED, or a word of joins.
    #[inline(always)]
    pub const fn is_name(self) -> bool {
        self.is_id() || matches!(self, Token::String | Token::JoinWord | Token::Indexed)
    }

    /// As [`Token::is_name`], without strings.
    #[inline(always)]
    pub const fn is_id_or_join(self) -> bool {
        self.is_id() || matches!(self, Token::JoinWord | Token::Indexed)
    }
}

/// All keywords of SQLite, in order.
pub const KEYWORDS: [(&str, Token); 147] = [
    ("ABORT", Token::Abort),
    ("ACTION", Token::Action),
    ("ADD", Token::Add),
    ("AFTER", Token::After),
    ("ALL", Token::All),
    ("ALTER", Token::Alter),
    ("ALWAYS", Token::Always),
    ("ANALYZE", Token::Analyze),
    ("AND", Token::And),
    ("AS", Token::As),
    ("ASC", Token::Asc),
    ("ATTACH", Token::Attach),
    ("AUTOINCREMENT", Token::Autoincrement),
    ("BEFORE", Token::Before),
    ("BEGIN", Token::Begin),
    ("BETWEEN", Token::Between),
    ("BY", Token::By),
    ("CASCADE", Token::Cascade),
    ("CASE", Token::Case),
    ("CAST", Token::Cast),
    ("CHECK", Token::Check),
    ("COLLATE", Token::Collate),
    ("COLUMN", Token::Column),
    ("COMMIT", Token::Commit),
    ("CONFLICT", Token::Conflict),
    ("CONSTRAINT", Token::Constraint),
    ("CREATE", Token::Create),
    ("CROSS", Token::JoinWord),
    ("CURRENT", Token::Current),
    ("CURRENT_DATE", Token::TimeWord),
    ("CURRENT_TIME", Token::TimeWord),
    ("CURRENT_TIMESTAMP", Token::TimeWord),
    ("DATABASE", Token::Database),
    ("DEFAULT", Token::Default),
    ("DEFERRABLE", Token::Deferrable),
    ("DEFERRED", Token::Deferred),
    ("DELETE", Token::Delete),
    ("DESC", Token::Desc),
    ("DETACH", Token::Detach),
    ("DISTINCT", Token::Distinct),
    ("DO", Token::Do),
    ("DROP", Token::Drop),
    ("EACH", Token::Each),
    ("ELSE", Token::Else),
    ("END", Token::End),
    ("ESCAPE", Token::Escape),
    ("EXCEPT", Token::Except),
    ("EXCLUDE", Token::Exclude),
    ("EXCLUSIVE", Token::Exclusive),
    ("EXISTS", Token::Exists),
    ("EXPLAIN", Token::Explain),
    ("FAIL", Token::Fail),
    ("FILTER", Token::Filter),
    ("FIRST", Token::First),
    ("FOLLOWING", Token::Following),
    ("FOR", Token::For),
    ("FOREIGN", Token::Foreign),
    ("FROM", Token::From),
    ("FULL", Token::JoinWord),
    ("GENERATED", Token::Generated),
    ("GLOB", Token::LikeWord),
    ("GROUP", Token::Group),
    ("GROUPS", Token::Groups),
    ("HAVING", Token::Having),
    ("IF", Token::If),
    ("IGNORE", Token::Ignore),
    ("IMMEDIATE", Token::Immediate),
    ("IN", Token::In),
    ("INDEX", Token::Index),
    ("INDEXED", Token::Indexed),
    ("INITIALLY", Token::Initially),
    ("INNER", Token::JoinWord),
    ("INSERT", Token::Insert),
    ("INSTEAD", Token::Instead),
    ("INTERSECT", Token::Intersect),
    ("INTO", Token::Into),
    ("IS", Token::Is),
    ("ISNULL", Token::Isnull),
    ("JOIN", Token::Join),
    ("KEY", Token::Key),
    ("LAST", Token::Last),
    ("LEFT", Token::JoinWord),
    ("LIKE", Token::LikeWord),
    ("LIMIT", Token::Limit),
    ("MATCH", Token::Match),
    ("MATERIALIZED", Token::Materialized),
    ("NATURAL", Token::JoinWord),
    ("NO", Token::No),
    ("NOT", Token::Not),
    ("NOTHING", Token::Nothing),
    ("NOTNULL", Token::Notnull),
    ("NULL", Token::Null),
    ("NULLS", Token::Nulls),
    ("OF", Token::Of),
    ("OFFSET", Token::Offset),
    ("ON", Token::On),
    ("OR", Token::Or),
    ("ORDER", Token::Order),
    ("OTHERS", Token::Others),
    ("OUTER", Token::JoinWord),
    ("OVER", Token::Over),
    ("PARTITION", Token::Partition),
    ("PLAN", Token::Plan),
    ("PRAGMA", Token::Pragma),
    ("PRECEDING", Token::Preceding),
    ("PRIMARY", Token::Primary),
    ("QUERY", Token::Query),
    ("RAISE", Token::Raise),
    ("RANGE", Token::Range),
    ("RECURSIVE", Token::Recursive),
    ("REFERENCES", Token::References),
    ("REGEXP", Token::LikeWord),
    ("REINDEX", Token::Reindex),
    ("RELEASE", Token::Release),
    ("RENAME", Token::Rename),
    ("REPLACE", Token::Replace),
    ("RESTRICT", Token::Restrict),
    ("RETURNING", Token::Returning),
    ("RIGHT", Token::JoinWord),
    ("ROLLBACK", Token::Rollback),
    ("ROW", Token::Row),
    ("ROWS", Token::Rows),
    ("SAVEPOINT", Token::Savepoint),
    ("SELECT", Token::Select),
    ("SET", Token::Set),
    ("TABLE", Token::Table),
    ("TEMP", Token::Temp),
    ("TEMPORARY", Token::Temp),
    ("THEN", Token::Then),
    ("TIES", Token::Ties),
    ("TO", Token::To),
    ("TRANSACTION", Token::Transaction),
    ("TRIGGER", Token::Trigger),
    ("UNBOUNDED", Token::Unbounded),
    ("UNION", Token::Union),
    ("UNIQUE", Token::Unique),
    ("UPDATE", Token::Update),
    ("USING", Token::Using),
    ("VACUUM", Token::Vacuum),
    ("VALUES", Token::Values),
    ("VIEW", Token::View),
    ("VIRTUAL", Token::Virtual),
    ("WHEN", Token::When),
    ("WHERE", Token::Where),
    ("WINDOW", Token::Window),
    ("WITH", Token::With),
    ("WITHOUT", Token::Without),
];

const SLOT_BITS: u32 = 10;

/// For each hash the index of its keyword in [`KEYWORDS`], plus one; 0 for none.
static SLOTS: [u8; 1 << SLOT_BITS] = {
    let mut slots = [0u8; 1 << SLOT_BITS];
    let mut index = 0;
    while index < KEYWORDS.len() {
        let slot = hash(KEYWORDS[index].0.as_bytes());
        assert!(slots[slot] == 0, "two keywords have one hash");
        slots[slot] = index as u8 + 1;
        index += 1;
    }
    slots
};

const LONGEST: usize = 17;

/// Case does not matter to it: bit 5 of each letter is cleared.
#[inline(always)]
const fn hash(word: &[u8]) -> usize {
    let len = word.len();
    let letters = word[0] as u32
        | (word[1] as u32) << 8
        | (word[len * 3 / 4] as u32) << 16
        | (word[len - 1] as u32) << 24;
    let mixed = (letters & 0xdfdf_dfdf) ^ ((len as u32) << 3);
    (mixed.wrapping_mul(0x1a4a_8b6d) >> (32 - SLOT_BITS)) as usize
}

/// The keyword that `word` is, case aside; [`Token::Id`] if it is none.
#[inline]
pub fn keyword(word: &[u8]) -> Token {
    if word.len() < 2 || word.len() > LONGEST {
        return Token::Id;
    }
    match SLOTS[hash(word)] {
        0 => Token::Id,
        slot => {
            let (text, token) = KEYWORDS[slot as usize - 1];
            if text.len() == word.len()
                && text
                    .as_bytes()
                    .iter()
                    .zip(word)
                    .all(|(a, b)| *a == b & 0xdf)
            {
                token
            } else {
                Token::Id
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_found_and_nothing_else() {
        for (text, token) in KEYWORDS {
            assert_eq!(keyword(text.as_bytes()), token);
            assert_eq!(keyword(text.to_lowercase().as_bytes()), token);
            let longer = format!("{text}x");
            assert_eq!(keyword(longer.as_bytes()), Token::Id);
            let mut other = text.as_bytes().to_vec();
            *other.last_mut().unwrap() = b'Q';
            assert_eq!(keyword(&other), Token::Id);
        }
        assert!(KEYWORDS.is_sorted_by_key(|(text, _)| *text));
        assert_eq!(keyword(b"a"), Token::Id);
        assert_eq!(keyword(b""), Token::Id);
        assert_eq!(keyword("öö".as_bytes()), Token::Id);
    }
}
