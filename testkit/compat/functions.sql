-- ## ->
SELECT '{"a":[1,2]}' -> '$.a', '[1,2]' -> 1;
-- ## ->>
SELECT '{"a":"x"}' ->> 'a', '[1,2]' ->> -1;
-- ## abs
SELECT abs(-1), abs(-2.5), abs('-3'), abs(NULL);
-- ## avg
SELECT avg(v), typeof(avg(v)) FROM (SELECT 1 v UNION ALL SELECT 4);
-- ## changes
CREATE TABLE t(a); INSERT INTO t VALUES(1),(2); SELECT changes();
-- ## char
SELECT char(97,0x1F600);
-- ## coalesce
SELECT coalesce(NULL,NULL,3);
-- ## concat
SELECT concat('a',NULL,1.5);
-- ## concat_ws
SELECT concat_ws('-','a',NULL,'b');
-- ## count
SELECT count(*), count(v) FROM (SELECT 1 v UNION ALL SELECT NULL);
-- ## cume_dist
SELECT cume_dist() OVER (ORDER BY v) FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## current_date
SELECT length(current_date);
-- ## current_time
SELECT length(current_time);
-- ## current_timestamp
SELECT length(current_timestamp);
-- ## date
SELECT date('2024-01-31','+1 month','start of month','weekday 0'), date(2460000.5), date('now')=current_date;
-- ## datetime
SELECT datetime('2024-02-29 12:00','+1 year','floor'), datetime(0,'unixepoch','subsec');
-- ## dense_rank
SELECT v, dense_rank() OVER (ORDER BY v) FROM (SELECT 1 v UNION ALL SELECT 2 UNION ALL SELECT 2);
-- ## first_value
SELECT first_value(v) OVER (ORDER BY v DESC) FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## format
SELECT format('%05d|%-8s|%.3f|%q|%Q|%w|%x|%,d|%!.20g|%c|%e', 42, 'ab', 3.14159, 'it''s', NULL, 'a"b', 255, 1234567, 0.1, 'xyz', 12345.678);
-- ## glob
SELECT glob('a*','abc'), glob('[a-c]?','bz');
-- ## group_concat
SELECT group_concat(v), group_concat(v,'; ') FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## hex
SELECT hex('aé'), hex(x'00ff'), hex(12);
-- ## if
SELECT if(1,'y','n'), if(0,'y');
-- ## ifnull
SELECT ifnull(NULL,2);
-- ## iif
SELECT iif(0,'a',1,'b','c');
-- ## instr
SELECT instr('hello','l'), instr(x'0102',x'02');
-- ## json
SELECT json(' { "a" : [1 , 2] } '), json('{a:1,}');
-- ## json_array
SELECT json_array(1,'2',json('[3]'),NULL);
-- ## json_array_insert
SELECT json_array_insert('[1,3]','$[1]',2);
-- ## json_array_length
SELECT json_array_length('[1,2,3]'), json_array_length('{"a":[1]}','$.a');
-- ## json_error_position
SELECT json_error_position('{"a":1'), json_error_position('[]');
-- ## json_extract
SELECT json_extract('{"a":[1,{"b":2}]}','$.a[1].b','$.a[#-1]');
-- ## json_group_array
SELECT json_group_array(v) FROM (SELECT 1 v UNION ALL SELECT 'x');
-- ## json_group_object
SELECT json_group_object(k,v) FROM (SELECT 'a' k, 1 v UNION ALL SELECT 'b', 2);
-- ## json_insert
SELECT json_insert('{"a":1}','$.a',9,'$.b',2,'$.c[0]',3);
-- ## json_object
SELECT json_object('a',1,'b',json_array(1));
-- ## json_patch
SELECT json_patch('{"a":1,"b":2}','{"a":null,"c":3}');
-- ## json_pretty
SELECT json_pretty('{"a":[1,{}]}'), json_pretty('[1]','	');
-- ## json_quote
SELECT json_quote('a"b'), json_quote(1.0);
-- ## json_remove
SELECT json_remove('[1,2,3]','$[0]','$[1]');
-- ## json_replace
SELECT json_replace('{"a":1}','$.a',2,'$.b',3);
-- ## json_set
SELECT json_set('{"a":1}','$.a',2,'$.b',json('[]'));
-- ## json_type
SELECT json_type('[1,2.5,"x",null,true,{}]'), json_type('[1,2.5]','$[1]');
-- ## json_valid
SELECT json_valid('{a:1}'), json_valid('{a:1}',2), json_valid(jsonb('[]'),8);
-- ## jsonb
SELECT hex(jsonb('{"a":[1,2.5,"x"]}'));
-- ## jsonb_array
SELECT hex(jsonb_array(1,'a'));
-- ## jsonb_array_insert
SELECT hex(jsonb_array_insert('[1,3]','$[1]',2));
-- ## jsonb_extract
SELECT hex(jsonb_extract('{"a":[1]}','$.a'));
-- ## jsonb_group_array
SELECT hex(jsonb_group_array(v)) FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## jsonb_group_object
SELECT hex(jsonb_group_object(v,v)) FROM (SELECT 'a' v UNION ALL SELECT 'b');
-- ## jsonb_insert
SELECT hex(jsonb_insert('{}','$.a',1));
-- ## jsonb_object
SELECT hex(jsonb_object('a',1));
-- ## jsonb_patch
SELECT hex(jsonb_patch('{"a":1}','{"b":2}'));
-- ## jsonb_remove
SELECT hex(jsonb_remove('[1,2]','$[0]'));
-- ## jsonb_replace
SELECT hex(jsonb_replace('[1,2]','$[0]',5));
-- ## jsonb_set
SELECT hex(jsonb_set('[1,2]','$[#]',5));
-- ## julianday
SELECT julianday('2000-01-01 12:00');
-- ## lag
SELECT lag(v,1,'none') OVER (ORDER BY v) FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## last_insert_rowid
CREATE TABLE t(a); INSERT INTO t(rowid) VALUES(77); SELECT last_insert_rowid();
-- ## last_value
SELECT last_value(v) OVER (ORDER BY v) FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## lead
SELECT lead(v) OVER (ORDER BY v) FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## length
SELECT length('aé'), length(x'0011'), length(12.5), length(NULL);
-- ## like
SELECT like('A%','abc'), like('a\%','a%','\');
-- ## likelihood
SELECT likelihood(5, 0.25);
-- ## likely
SELECT likely(5);
-- ## lower
SELECT lower('ABCÉ');
-- ## ltrim
SELECT ltrim('  a '), ltrim('xxay','x');
-- ## max
SELECT max(1,'a',2.5); SELECT max(v) FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## min
SELECT min(1,'a',2.5); SELECT min(v) FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## nth_value
SELECT nth_value(v,2) OVER (ORDER BY v) FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## ntile
SELECT ntile(2) OVER (ORDER BY v) FROM (SELECT 1 v UNION ALL SELECT 2 UNION ALL SELECT 3);
-- ## nullif
SELECT nullif(1,1), nullif(1,2);
-- ## octet_length
SELECT octet_length('aé'), octet_length(12);
-- ## percent_rank
SELECT percent_rank() OVER (ORDER BY v) FROM (SELECT 1 v UNION ALL SELECT 2 UNION ALL SELECT 2);
-- ## printf
SELECT printf('%+d % d %o %X %s %z', 1, 2, 8, 255, 'a', 'b');
-- ## quote
SELECT quote('it''s'), quote(x'0a'), quote(1.5), quote(NULL);
-- ## random
SELECT typeof(random());
-- ## randomblob
SELECT length(randomblob(8));
-- ## rank
SELECT v, rank() OVER (ORDER BY v) FROM (SELECT 1 v UNION ALL SELECT 1 UNION ALL SELECT 2);
-- ## replace
SELECT replace('banana','an','<>');
-- ## round
SELECT round(2.567,2), round(-2.5), round(1e300);
-- ## row_number
SELECT row_number() OVER (ORDER BY v) FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## rtrim
SELECT rtrim(' a  '), rtrim('yaxx','x');
-- ## sign
SELECT sign(-3), sign(0.0), sign('x');
-- ## soundex
SELECT soundex('Robert'), soundex(NULL);
-- ## sqlite_compileoption_get
SELECT typeof(sqlite_compileoption_get(0)), sqlite_compileoption_get(-1);
-- ## sqlite_compileoption_used
SELECT sqlite_compileoption_used('NO_SUCH_OPTION');
-- ## sqlite_source_id
SELECT sqlite_source_id();
-- ## sqlite_version
SELECT sqlite_version();
-- ## strftime
SELECT strftime('%Y-%m-%d %H:%M:%f %j %s %w %W %u %U %V %G %g %e %k %I %l %p %P %R %T %F %J','2024-03-05 13:04:05.678');
-- ## string_agg
SELECT string_agg(v,'+' ORDER BY v DESC) FROM (SELECT 1 v UNION ALL SELECT 2);
-- ## substr
SELECT substr('hello',2,3), substr('hello',-3), substr('hello',2,-1), substr(x'010203',2);
-- ## substring
SELECT substring('hello',2,3);
-- ## subtype
SELECT subtype(json('[]')), subtype(1);
-- ## sum
SELECT sum(v), typeof(sum(v)) FROM (SELECT 1 v UNION ALL SELECT 2.5);
-- ## time
SELECT time('12:34:56','+90 minutes'), time('12:34:56.789','subsec');
-- ## timediff
SELECT timediff('2024-03-01','2023-01-31');
-- ## total
SELECT total(v) FROM (SELECT 1 v WHERE 0);
-- ## total_changes
CREATE TABLE t(a); INSERT INTO t VALUES(1),(2); DELETE FROM t; SELECT total_changes();
-- ## trim
SELECT trim('  a '), trim('xaxbx','x');
-- ## typeof
SELECT typeof(1), typeof(1.0), typeof('a'), typeof(x''), typeof(NULL);
-- ## unhex
SELECT unhex('4142'), unhex('41-42','-'), unhex('4');
-- ## unicode
SELECT unicode('é');
-- ## unistr
SELECT unistr('\0041\u00e9\+01F600');
-- ## unistr_quote
SELECT unistr_quote('a'||char(10)||'b');
-- ## unixepoch
SELECT unixepoch('2024-01-01'), unixepoch('2024-01-01 00:00:00.5','subsec');
-- ## unlikely
SELECT unlikely(5);
-- ## upper
SELECT upper('abcé');
-- ## zeroblob
SELECT hex(zeroblob(3));
-- ## acos
-- ours: SELECT acos(1)
-- = 0.0
-- ## acosh
-- ours: SELECT acosh(1)
-- = 0.0
-- ## asin
-- ours: SELECT asin(0)
-- = 0.0
-- ## asinh
-- ours: SELECT asinh(0)
-- = 0.0
-- ## atan
-- ours: SELECT atan(0)
-- = 0.0
-- ## atan2
-- ours: SELECT atan2(0,1)
-- = 0.0
-- ## atanh
-- ours: SELECT atanh(0)
-- = 0.0
-- ## ceil
-- ours: SELECT ceil(1.2)
-- = 2.0
-- ## ceiling
-- ours: SELECT ceiling(-1.2)
-- = -1.0
-- ## cos
-- ours: SELECT cos(0)
-- = 1.0
-- ## cosh
-- ours: SELECT cosh(0)
-- = 1.0
-- ## degrees
-- ours: SELECT degrees(pi())
-- = 180.0
-- ## exp
-- ours: SELECT exp(0)
-- = 1.0
-- ## floor
-- ours: SELECT floor(-1.2)
-- = -2.0
-- ## ln
-- ours: SELECT ln(1)
-- = 0.0
-- ## log
-- ours: SELECT log(100)
-- = 2.0
-- ## log10
-- ours: SELECT log10(1000)
-- = 3.0
-- ## log2
-- ours: SELECT log2(8)
-- = 3.0
-- ## mod
-- ours: SELECT mod(7,4)
-- = 3.0
-- ## pi
-- ours: SELECT round(pi(),5)
-- = 3.14159
-- ## pow
-- ours: SELECT pow(2,10)
-- = 1024.0
-- ## power
-- ours: SELECT power(2,3)
-- = 8.0
-- ## radians
-- ours: SELECT radians(0)
-- = 0.0
-- ## sin
-- ours: SELECT sin(0)
-- = 0.0
-- ## sinh
-- ours: SELECT sinh(0)
-- = 0.0
-- ## sqrt
-- ours: SELECT sqrt(9)
-- = 3.0
-- ## tan
-- ours: SELECT tan(0)
-- = 0.0
-- ## tanh
-- ours: SELECT tanh(0)
-- = 0.0
-- ## trunc
-- ours: SELECT trunc(-1.7)
-- = -1.0
-- ## median
-- ours: SELECT median(v) FROM (SELECT 1 v UNION ALL SELECT 2 UNION ALL SELECT 5)
-- = 2.0
-- ## percentile
-- ours: SELECT percentile(v,50) FROM (SELECT 1 v UNION ALL SELECT 2 UNION ALL SELECT 5)
-- = 2.0
-- ## percentile_cont
-- ours: SELECT percentile_cont(v,0.5) FROM (SELECT 1 v UNION ALL SELECT 2 UNION ALL SELECT 5)
-- = 2.0
-- ## percentile_disc
-- ours: SELECT percentile_disc(v,0.5) FROM (SELECT 1 v UNION ALL SELECT 2 UNION ALL SELECT 5)
-- = 2.0
