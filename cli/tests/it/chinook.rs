//! A real database in rollback-journal mode, opened as it is: our answers are stock's, byte for byte.

use ringwood_format::affinity::text_value;
use ringwood_format::value::TextEncoding;
use ringwood_testkit::engine::{Answer, Cell, Engine as _};
use ringwood_testkit::sqlite::Sqlite;

use crate::shell::{Folder, ringwood, run, sqlite3, stdout};

const QUERIES: &[&str] = &[
    "SELECT count(*) FROM Track",
    "SELECT Name FROM Artist ORDER BY Name LIMIT 20 OFFSET 30",
    "SELECT g.Name, count(*) AS n, sum(t.Milliseconds)/1000 FROM Track t JOIN Genre g USING (GenreId) GROUP BY g.GenreId ORDER BY n DESC, g.Name",
    "SELECT ar.Name, al.Title FROM Album al JOIN Artist ar ON ar.ArtistId=al.ArtistId WHERE ar.Name LIKE 'A%' ORDER BY 1,2",
    "SELECT c.Country, round(sum(i.Total),2) FROM Customer c JOIN Invoice i ON i.CustomerId=c.CustomerId GROUP BY c.Country HAVING sum(i.Total)>50 ORDER BY 2 DESC, 1",
    "SELECT e.FirstName||' '||e.LastName, m.FirstName FROM Employee e LEFT JOIN Employee m ON e.ReportsTo=m.EmployeeId ORDER BY e.EmployeeId",
    "SELECT Name FROM Track WHERE TrackId IN (SELECT TrackId FROM InvoiceLine GROUP BY TrackId HAVING count(*)>1) ORDER BY Name LIMIT 50",
    "SELECT a.Title, (SELECT count(*) FROM Track t WHERE t.AlbumId=a.AlbumId) AS n FROM Album a ORDER BY n DESC, a.Title LIMIT 25",
    "SELECT Name FROM Artist WHERE NOT EXISTS (SELECT 1 FROM Album WHERE Album.ArtistId=Artist.ArtistId) ORDER BY Name LIMIT 40",
    "WITH big AS (SELECT * FROM Invoice WHERE Total>15), names AS (SELECT CustomerId, LastName FROM Customer) SELECT names.LastName, big.Total FROM big JOIN names USING (CustomerId) ORDER BY 2 DESC, 1",
    "SELECT InvoiceDate, Total FROM Invoice WHERE InvoiceDate BETWEEN '2010-01-01' AND '2010-03-31' ORDER BY InvoiceDate, InvoiceId",
    "SELECT substr(InvoiceDate,1,4) AS y, count(*), round(avg(Total),3) FROM Invoice GROUP BY y ORDER BY y",
    "SELECT DISTINCT BillingCountry FROM Invoice ORDER BY BillingCountry",
    "SELECT Country FROM Customer UNION SELECT BillingCountry FROM Invoice ORDER BY 1",
    "SELECT City FROM Customer INTERSECT SELECT City FROM Employee",
    "SELECT City FROM Customer EXCEPT SELECT City FROM Employee ORDER BY City DESC LIMIT 10",
    "SELECT p.Name, count(pt.TrackId) FROM Playlist p LEFT JOIN PlaylistTrack pt ON pt.PlaylistId=p.PlaylistId GROUP BY p.PlaylistId ORDER BY p.PlaylistId",
    "SELECT CASE WHEN Milliseconds<180000 THEN 'short' WHEN Milliseconds<300000 THEN 'middle' ELSE 'long' END AS len, count(*), min(Name), max(Name) FROM Track GROUP BY len ORDER BY len",
    "SELECT upper(substr(LastName,1,3)), length(Email), instr(Email,'@'), replace(Phone,' ','') FROM Customer ORDER BY CustomerId LIMIT 30",
    "SELECT typeof(Total), Total, Total*3, Total/7 FROM Invoice ORDER BY InvoiceId LIMIT 20",
    "SELECT coalesce(Company,'-'), ifnull(State,'none'), nullif(Country,'USA') FROM Customer ORDER BY 1,2,3",
    "SELECT Name, Composer FROM Track WHERE Composer GLOB '*Young*' AND Name NOT LIKE '%rock%' ORDER BY TrackId",
    "SELECT t.Name, il.UnitPrice, il.Quantity, i.InvoiceDate, c.LastName FROM InvoiceLine il JOIN Track t USING(TrackId) JOIN Invoice i USING(InvoiceId) JOIN Customer c USING(CustomerId) WHERE c.Country='Germany' ORDER BY i.InvoiceId, il.InvoiceLineId LIMIT 60",
    "SELECT mt.Name, max(t.Bytes), min(t.Bytes), total(t.Bytes), avg(t.UnitPrice) FROM MediaType mt LEFT JOIN Track t ON t.MediaTypeId=mt.MediaTypeId GROUP BY 1 ORDER BY 1",
    "SELECT group_concat(Name, '; ') FROM Genre",
    "SELECT count(*), count(Composer), count(DISTINCT Composer), count(DISTINCT AlbumId) FROM Track",
    "SELECT * FROM (SELECT AlbumId, avg(Milliseconds) AS m FROM Track GROUP BY AlbumId) WHERE m>400000 ORDER BY m DESC LIMIT 15",
    "SELECT c.LastName, i.Total FROM Customer c JOIN Invoice i ON i.CustomerId=c.CustomerId WHERE i.Total=(SELECT max(Total) FROM Invoice WHERE CustomerId=c.CustomerId) ORDER BY 2 DESC, 1 LIMIT 20",
    "SELECT a.Name, b.Name FROM Genre a CROSS JOIN MediaType b WHERE a.GenreId<4 ORDER BY a.GenreId, b.MediaTypeId",
    "SELECT e.LastName, count(c.CustomerId) FROM Customer c RIGHT JOIN Employee e ON e.EmployeeId=c.SupportRepId GROUP BY e.EmployeeId ORDER BY 1",
    "SELECT TrackId, Name FROM Track WHERE (AlbumId, GenreId) = (1, 1) OR TrackId IN (5, 10, 15, 3503) ORDER BY TrackId",
    "SELECT type, name, tbl_name, rootpage FROM sqlite_schema ORDER BY rowid",
];

/// What the shell's list mode makes of an answer.
fn listed(answer: &Answer) -> String {
    let text = |cell: &Cell| {
        text_value(cell.as_ref(), TextEncoding::Utf8)
            .map(|t| String::from_utf8_lossy(&t).into_owned())
    };
    let rows = answer.rows.iter().map(|row| {
        let cells: Vec<String> = row
            .iter()
            .map(|cell| text(cell).unwrap_or_default())
            .collect();
        cells.join("|") + "\n"
    });
    rows.collect()
}

/// List mode is compared with SQLite as it is linked into the tests; the other modes with the installed shell, where
/// it agrees with that (before 3.53 SQLite printed fewer digits of a real).
#[test]
fn queries_give_what_stock_gives() {
    let (Some(source), Some(_)) = (ringwood_testkit::data::file("data/chinook.db"), sqlite3())
    else {
        return;
    };
    let folder = Folder::new("chinook");
    let (ours, theirs) = (folder.file("ours.db"), folder.file("theirs.db"));
    std::fs::copy(&source, &ours).unwrap();
    std::fs::copy(&source, &theirs).unwrap();
    let mut stock = Sqlite::open(&source).unwrap();
    let mut in_all_modes = 0;
    for query in QUERIES {
        let script = format!("{query};\n");
        let expected = listed(&stock.run(query).unwrap());
        assert_eq!(
            stdout(&run(ringwood(), &ours, &[], &script)),
            expected,
            "{query}"
        );
        let shell = |args: &[&str]| stdout(&run(sqlite3().unwrap(), &theirs, args, &script));
        if shell(&[]) != expected {
            continue;
        }
        in_all_modes += 1;
        for args in [&["-header", "-csv"][..], &["-line"]] {
            let got = run(ringwood(), &ours, args, &script);
            assert_eq!(stdout(&got), shell(args), "{query}");
        }
    }
    assert!(
        QUERIES.len() >= 25 && in_all_modes >= 25,
        "{in_all_modes} in all modes"
    );
    assert_eq!(
        std::fs::read(&source).unwrap(),
        std::fs::read(&ours).unwrap(),
        "reading changed the file"
    );
}

#[test]
fn a_file_is_written_under_its_journal_and_under_a_log() {
    let (Some(source), Some(sqlite)) = (ringwood_testkit::data::file("data/chinook.db"), sqlite3())
    else {
        return;
    };
    let folder = Folder::new("chinook-write");
    let db = folder.file("c.db");
    std::fs::copy(&source, &db).unwrap();
    let insert = "INSERT INTO Genre VALUES(100,'Nordic noir');\n";
    stdout(&run(ringwood(), &db, &[], insert));
    let undo = "DELETE FROM Genre WHERE GenreId=100;\n";
    stdout(&run(ringwood(), &db, &[], undo));
    let script = format!("PRAGMA journal_mode=WAL;\n{insert}SELECT count(*) FROM Genre;\n");
    assert_eq!(stdout(&run(ringwood(), &db, &[], &script)), "wal\n26\n");
    let check = run(
        sqlite,
        &db,
        &[],
        "PRAGMA integrity_check; SELECT Name FROM Genre WHERE GenreId=100;\n",
    );
    assert_eq!(stdout(&check), "ok\nNordic noir\n");
}
