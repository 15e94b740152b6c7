//! Settings of a connection or a database that pragmas read and write, and that only the engine knows.

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal;)+) => {
        /// A setting.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Setting {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Setting {
            /// All of them.
            pub const ALL: &'static [Setting] = &[$(Setting::$variant,)+];

            /// The name of its pragma.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Setting::$variant => $name,)+
                }
            }
        }
    };
}

settings! {
    /// 0 or 1.
    AutomaticIndex = "automatic_index";
    /// 0 none, 1 full, 2 incremental.
    AutoVacuum = "auto_vacuum";
    /// Most bytes of statistics; a number without effect.
    AnalysisLimit = "analysis_limit";
    /// Milliseconds.
    BusyTimeout = "busy_timeout";
    /// Pages, or kibibytes if negative.
    CacheSize = "cache_size";
    /// A number without effect.
    CacheSpill = "cache_spill";
    /// 0 or 1, write only.
    CaseSensitiveLike = "case_sensitive_like";
    /// 0 or 1, without effect: cells are always checked.
    CellSizeCheck = "cell_size_check";
    /// 0 or 1, without effect outside of macOS.
    CheckpointFullFsync = "checkpoint_fullfsync";
    /// Changes whenever somebody else has changed the database; read only.
    DataVersion = "data_version";
    /// 0 or 1.
    CountChanges = "count_changes";
    /// 0 or 1.
    DeferForeignKeys = "defer_foreign_keys";
    /// 0 or 1, without effect.
    EmptyResultCallbacks = "empty_result_callbacks";
    /// `UTF-8`, `UTF-16le`, `UTF-16be`.
    Encoding = "encoding";
    /// The path of the file; read only.
    File = "file";
    /// 0 or 1.
    ForeignKeys = "foreign_keys";
    /// 0 or 1.
    FullColumnNames = "full_column_names";
    /// 0 or 1, without effect outside of macOS.
    FullFsync = "fullfsync";
    /// Bytes, without effect.
    HardHeapLimit = "hard_heap_limit";
    /// 0 or 1.
    IgnoreCheckConstraints = "ignore_check_constraints";
    /// Bytes; -1 for none. Without effect.
    JournalSizeLimit = "journal_size_limit";
    /// 0 or 1.
    LegacyAlterTable = "legacy_alter_table";
    /// `normal` or `exclusive`.
    LockingMode = "locking_mode";
    /// Bytes: always 0, nothing is mapped.
    MmapSize = "mmap_size";
    /// Bytes.
    PageSize = "page_size";
    /// 0 or 1.
    QueryOnly = "query_only";
    /// 0 or 1, without effect.
    ReadUncommitted = "read_uncommitted";
    /// 0 or 1.
    RecursiveTriggers = "recursive_triggers";
    /// 0 or 1.
    ReverseUnorderedSelects = "reverse_unordered_selects";
    /// 0, 1, or 2 (fast).
    SecureDelete = "secure_delete";
    /// 0 or 1.
    ShortColumnNames = "short_column_names";
    /// Bytes, without effect.
    SoftHeapLimit = "soft_heap_limit";
    /// 0 off, 1 normal, 2 full, 3 extra.
    Synchronous = "synchronous";
    /// 0 default, 1 file, 2 memory.
    TempStore = "temp_store";
    /// A folder, without effect.
    TempStoreDirectory = "temp_store_directory";
    /// A number without effect.
    Threads = "threads";
    /// 0 or 1.
    TrustedSchema = "trusted_schema";
    /// Frames; 0 for never.
    WalAutocheckpoint = "wal_autocheckpoint";
    /// 0 or 1; set to 2 it becomes 0, and the schema is read again.
    WritableSchema = "writable_schema";
}

impl Setting {
    /// The setting of that name, in lower case.
    pub fn from_name(name: &str) -> Option<Setting> {
        Setting::ALL
            .iter()
            .copied()
            .find(|setting| setting.name() == name)
    }

    /// Whether it can be asked for and set although no schema can be read: a locked or damaged file does not hinder anybody
    /// from saying how long to wait for it (SQLite's pragmas without PragFlg_NeedSchema).
    pub const fn is_of_connection(self) -> bool {
        !matches!(
            self,
            Setting::AutoVacuum
                | Setting::CacheSize
                | Setting::DataVersion
                | Setting::Encoding
                | Setting::File
                | Setting::PageSize
                | Setting::Synchronous
        )
    }
}
