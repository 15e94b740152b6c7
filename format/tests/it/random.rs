//! A seeded generator of numbers, values and texts that are likely to hit edges.

use ringwood_format::value::Value;

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// Integers of every magnitude, and the edges of every width.
    pub fn integer(&mut self) -> i64 {
        match self.below(4) {
            0 => self.pick(&[0, 1, -1, 2, i64::MIN, i64::MAX, i64::MIN + 1, i64::MAX - 1]),
            1 => {
                let edge = 1i64 << self.pick(&[7, 8, 15, 16, 23, 24, 31, 32, 47, 48, 51, 53, 62]);
                let near = edge.wrapping_add(self.below(5) as i64 - 2);
                if self.chance(2) {
                    near
                } else {
                    near.wrapping_neg()
                }
            }
            _ => (self.next() as i64) >> self.below(64),
        }
    }

    /// Doubles: any bits, short decimals, integers, powers of ten and their neighbours, subnormals. Never NaN.
    pub fn real(&mut self) -> f64 {
        let r = match self.below(8) {
            0 | 1 => f64::from_bits(self.next()),
            2 => self.integer() as f64,
            3 | 4 => {
                let len = self.below(18) as u32 + 1;
                let digits = self.below(10u64.pow(len)) as f64;
                digits / 10f64.powi(self.below(20) as i32)
            }
            5 => {
                let power = 10f64.powi(self.below(640) as i32 - 325);
                f64::from_bits(power.to_bits().wrapping_add(self.below(7)).wrapping_sub(3))
            }
            6 => f64::from_bits(self.next() >> (12 + self.below(52))),
            _ => self.pick(&[
                0.0,
                -0.0,
                1.0,
                0.1,
                0.5,
                1e15,
                1e16,
                1e17,
                9007199254740993.0,
                5e-324,
                1.7e308,
            ]),
        };
        let r = if r.is_nan() { 1.5 } else { r };
        if self.chance(2) { -r } else { r }
    }

    /// Text that looks like a number, nearly.
    pub fn number_text(&mut self) -> String {
        let mut text = match self.below(5) {
            0 => self.integer().to_string(),
            1 => format!("{}", self.real()),
            2 => format!("{:e}", self.real()),
            3 => (0..self.below(30))
                .map(|_| char::from(b'0' + self.below(10) as u8))
                .collect(),
            _ => format!(
                "{}.{}e{}",
                self.below(1000),
                self.next(),
                self.below(800) as i64 - 400
            ),
        };
        for _ in 0..self.below(4) {
            let at = self.below(text.len() as u64 + 1) as usize;
            let piece = self.pick(&[
                " ", "+", "-", ".", "e", "E", "0", "00", "9", "x", "_", "\t", "\n", "\u{b}", "1",
                "e5", "e-3", "\0", "é",
            ]);
            if text.is_char_boundary(at) {
                text.insert_str(at, piece);
            }
        }
        text
    }

    /// Text without a plan, sometimes beyond ASCII and beyond the first plane.
    pub fn text(&mut self) -> String {
        let alphabet: &[char] = match self.below(3) {
            0 => &['a', 'b', 'A', 'B', ' ', 'z', '\0', '['],
            1 => &[
                'a',
                'é',
                'ß',
                '中',
                '\u{1f600}',
                '\u{ffff}',
                '\u{e000}',
                '\u{10000}',
                '\u{fffd}',
                ' ',
            ],
            _ => &['x', 'X', ' ', '1', '\u{7f}', '\u{80}', '\u{7ff}', '\u{800}'],
        };
        (0..self.below(12)).map(|_| self.pick(alphabet)).collect()
    }

    pub fn value(&mut self) -> Value {
        match self.below(8) {
            0 => Value::Null,
            1 | 2 => Value::Integer(self.integer()),
            3 => Value::real(self.real()),
            4 => Value::from(self.number_text()),
            5 | 6 => Value::from(self.text()),
            _ => {
                let len = self.below(10) as usize;
                Value::Blob(self.bytes(len))
            }
        }
    }
}
