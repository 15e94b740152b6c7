//! Varints.

use crate::random::Random;
use ringwood_format::varint;

#[test]
fn values_survive() {
    let mut random = Random::new(30);
    let edges = (0..64)
        .flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1])
        .chain([u64::MAX]);
    let mut any = (0..100_000).map(|_| {
        let shift = random.below(64);
        random.next() >> shift
    });
    for value in edges.chain(any.by_ref()) {
        let mut out = Vec::new();
        varint::push(&mut out, value);
        assert_eq!(out.len(), varint::len(value), "{value:#x}");
        assert_eq!(varint::read(&out), Some((value, out.len())), "{value:#x}");
        assert_eq!(
            varint::read_u32(&out),
            Some((u32::try_from(value).unwrap_or(u32::MAX), out.len()))
        );
        let mut buffer = [0xaa; 9];
        assert_eq!(varint::write(&mut buffer, value), out.len());
        assert_eq!(&buffer[..out.len()], out);
        for cut in 0..out.len() {
            assert_eq!(varint::read(&out[..cut]), None);
        }
        let word = u64::from_be_bytes(*buffer.first_chunk().expect("nine bytes"));
        let expected = (out.len() < 9).then_some((value, out.len()));
        assert_eq!(varint::read_word(word), expected, "{value:#x}");
        out.push(0x7f);
        assert_eq!(varint::read_at(&out, 0), Some((value, out.len() - 1)));
    }
}

#[test]
fn longer_forms_are_read() {
    assert_eq!(varint::read(&[0x80, 0x80, 0x05]), Some((5, 3)));
    assert_eq!(varint::read(&[0x80; 9]), Some((0x80, 9)));
    assert_eq!(varint::read(&[0xff; 9]), Some((u64::MAX, 9)));
    assert_eq!(varint::read_at(&[1], 5), None);
}
