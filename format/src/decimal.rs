//! Doubles as decimal digits, and back: the arithmetic under every conversion of reals.
//!
//! ```text
//!  double r = m * 2^e  --FpDecode-->  0.d1 d2 d3 ... dn * 10^decimal_point  --printf and friends-->  text
//!  text  --number::parse_real-->  d * 10^p  --from_decimal-->  the nearest double
//! ```
//!
//! Rules:
//! 1. Both directions multiply by a power of ten of which 96 bits are known, and round once. That is exact or the
//!    nearest for up to 17 digits; what it gives beyond is what SQLite gives, bit for bit, and not always what exact
//!    arithmetic would. So the powers are composed as SQLite composes them: from 10^0..10^26 and 10^(27k).
//! 2. At 17 digits, the precision of a real as text, fewer digits are printed where they read back as the same double
//!    *and* the 17 show a run of nines or zeros that gives the shorter form away: 49.47, not 49.469999999999999.
//!
//! Cost: a real to text about 440 instructions, 600 where it is shortened; text of ten bytes to a real about 250.
//!
//! Source: SQLite's `sqlite3FpDecode`, `sqlite3Fp10Convert2`, `sqlite3Fp2Convert10`, `powerOfTen`; the method is Russ
//! Cox's, "Floating-Point Printing and Parsing Can Be Simple And Fast".

/// The smallest power of ten that conversions need.
const POWER_MIN: i32 = -348;
/// The largest.
const POWER_MAX: i32 = 347;

/// The most significant 96 bits of 10^(27k) for k = -13..=12, rounded. The entry for k = 0 is 10^-1 instead, which
/// stands for itself.
const SCALE: [(u64, u32); 26] = [
    (0x8049a4ac0c5811ae, 0x205b896d),
    (0xcf42894a5dce35ea, 0x52064cad),
    (0xa76c582338ed2621, 0xaf2af2b8),
    (0x873e4f75e2224e68, 0x5a7744a7),
    (0xda7f5bf590966848, 0xaf39a475),
    (0xb080392cc4349dec, 0xbd8d794e),
    (0x8e938662882af53e, 0x547eb47b),
    (0xe65829b3046b0afa, 0x0cb4a5a3),
    (0xba121a4650e4ddeb, 0x92f34d62),
    (0x964e858c91ba2655, 0x3a6a07f9),
    (0xf2d56790ab41c2a2, 0xfae27299),
    (0xc428d05aa4751e4c, 0xaa97e14c),
    (0x9e74d1b791e07e48, 0x775ea265),
    (0xcccccccccccccccc, 0xcccccccc),
    (0xcecb8f27f4200f3a, 0x00000000),
    (0xa70c3c40a64e6c51, 0x999090b6),
    (0x86f0ac99b4e8dafd, 0x69a028bb),
    (0xda01ee641a708de9, 0xe80e6f48),
    (0xb01ae745b101e9e4, 0x5ec05dd0),
    (0x8e41ade9fbebc27d, 0x14588f14),
    (0xe5d3ef282a242e81, 0x8f1668c9),
    (0xb9a74a0637ce2ee1, 0x6d953e2c),
    (0x95f83d0a1fb69cd9, 0x4abdaf10),
    (0xf24a01a73cf2dccf, 0xbc633b39),
    (0xc3b8358109e84f07, 0x0a862f81),
    (0x9e19db92b4e31ba9, 0x6c07a2c2),
];

/// A power of ten: its most significant 64 bits, and the next 32.
#[derive(Clone, Copy)]
struct Power {
    high: u64,
    low: u32,
}

/// The most significant 64 bits of 10^n for n = 0..27, where they are exact or nearly so.
const fn base(n: u32) -> u64 {
    let power = 10u128.pow(n);
    let shift = power.leading_zeros();
    ((power << shift) >> 64) as u64
}

/// 10^p as rule 1 wants it.
const fn compose(p: i32) -> Power {
    if p == -1 {
        return Power {
            high: SCALE[13].0,
            low: SCALE[13].1,
        };
    }
    if p >= 0 && p < 27 {
        return Power {
            high: base(p as u32),
            low: 0,
        };
    }
    let (high, low) = SCALE[(p.div_euclid(27) + 13) as usize];
    let n = p.rem_euclid(27);
    if n == 0 {
        return Power { high, low };
    }
    let factor = base(n as u32) as u128;
    let product = high as u128 * factor + ((low as u128 * factor) >> 32);
    let (high, low) = ((product >> 64) as u64, (product >> 32) as u32);
    if high >> 63 == 0 {
        // The bit that is shifted in is not known; SQLite takes it as 1.
        Power {
            high: high << 1 | (low >> 31) as u64,
            low: low << 1 | 1,
        }
    } else {
        Power { high, low }
    }
}

/// All powers, computed when this is compiled.
static POWERS: [Power; (POWER_MAX - POWER_MIN + 1) as usize] = {
    let mut powers = [Power { high: 0, low: 0 }; (POWER_MAX - POWER_MIN + 1) as usize];
    let mut i = 0;
    while i < powers.len() {
        powers[i] = compose(i as i32 + POWER_MIN);
        i += 1;
    }
    powers
};

#[inline]
fn power_of_ten(p: i32) -> Power {
    POWERS[(p - POWER_MIN) as usize]
}

/// floor(log2(10^p)), near enough for the exponents of doubles.
#[inline]
const fn log2_of_pow10(p: i32) -> i32 {
    (p * 108_853) >> 15
}

/// floor(log10(2^e)), the same.
#[inline]
const fn log10_of_pow2(e: i32) -> i32 {
    (e * 78_913) >> 18
}

#[inline]
const fn multiply(a: u64, b: u64) -> (u64, u64) {
    let product = a as u128 * b as u128;
    ((product >> 64) as u64, product as u64)
}

/// `(d, p)` so that m * 2^e is about d * 10^p, with at least `digits` (1..=18) digits in d. The highest bit of `m` is
/// set.
#[inline]
fn to_decimal(m: u64, e: i32, digits: i32) -> (u64, i32) {
    debug_assert!(m >> 63 == 1 && (1..=18).contains(&digits));
    let p = digits - 1 - log10_of_pow2(e + 63);
    let (high, _) = multiply(m, power_of_ten(p).high);
    let shift = -(e + log2_of_pow10(p) + 1);
    let d = if digits == 18 {
        let high = high >> (shift - 1);
        (high + (high << 1 & 2)) >> 1
    } else {
        high >> shift
    };
    (d, -p)
}

/// The double nearest to `d * 10^p`, as SQLite rounds it (rule 1); infinity if it is too large, 0 if too small.
pub fn from_decimal(d: u64, p: i32) -> f64 {
    if d == 0 || p < POWER_MIN {
        return 0.0;
    }
    if p > POWER_MAX {
        return f64::INFINITY;
    }
    let bits = 64 - d.leading_zeros() as i32;
    let log = log2_of_pow10(p);
    let mut e = 53 - bits - log;
    if e > 1074 {
        if e >= 1130 {
            return 0.0;
        }
        e = 1074; // subnormal: fewer bits remain
    }
    let shift = -(e - (64 - bits) + log + 3); // 8 for normal numbers, up to 63 for subnormal ones
    let Power {
        high: mut power,
        low,
    } = power_of_ten(p);
    // The power is taken a little too large, and what that is too much is looked at only when it can matter: when
    // the bits behind the result are all zero.
    let mut excess = 0;
    if low != 0 {
        power = power.wrapping_add(1);
        excess = !low;
    }
    let x = d << (64 - bits);
    let (mut high, low) = multiply(x, power);
    let mut sticky = true;
    if high & ((1 << shift) - 1) == 0 {
        let middle = (low >> 32) as u32;
        let correction = (multiply(x, (excess as u64) << 32).0 >> 32) as u32;
        sticky = middle.wrapping_sub(correction) > 1;
        high = high.wrapping_sub(u64::from(middle < correction));
    }
    let mut u = high >> shift | u64::from(sticky);
    if u >= (1 << 55) - 2 {
        u = u >> 1 | u & 1;
        e -= 1;
    }
    let m = (u + 1 + (u >> 2 & 1)) >> 2;
    if e <= -972 {
        return f64::INFINITY;
    }
    if m & 1 << 52 != 0 {
        f64::from_bits(m & !(1 << 52) | ((1075 - e) as u64) << 52)
    } else {
        f64::from_bits(m)
    }
}

/// What a double is besides digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FpClass {
    /// A number with digits; zero is the digit 0.
    Finite,
    /// An infinity; it has no digits.
    Infinite,
    /// Not a number; it has no digits.
    Nan,
}

/// A double as decimal digits: its value is `0.digits * 10^decimal_point`, with the sign beside it.
#[derive(Clone, Copy, Debug)]
pub struct FpDecode {
    /// Whether it is below zero; never for -0.0.
    pub negative: bool,
    /// Whether it has digits at all.
    pub class: FpClass,
    /// How many digits stand before the decimal point; not positive if it starts with zeros behind the point.
    pub decimal_point: i32,
    digits: [u8; BUFFER_SIZE],
    start: u8,
    end: u8,
}

/// Twenty digits of a u64 and one for a carry.
const BUFFER_SIZE: usize = 21;

impl FpDecode {
    /// Decodes `r`. With `round` above 0, to `min(round, round_max)` significant digits; otherwise to `-round` digits
    /// behind the decimal point, but to at most `round_max` significant ones. Zeros at the end are dropped.
    ///
    /// `printf` uses a `round_max` of 16, or 20 with the flag `!`. The shortening of rule 2 happens at 17 digits.
    ///
    /// # Panics
    /// If `round_max` is not positive.
    pub fn new(r: f64, round: i32, round_max: i32) -> FpDecode {
        assert!(round_max > 0);
        let mut decode = FpDecode {
            negative: r < 0.0,
            class: FpClass::Finite,
            decimal_point: 0,
            digits: [b'0'; BUFFER_SIZE],
            start: 0,
            end: 0,
        };
        let r = r.abs();
        if r == 0.0 {
            decode.decimal_point = 1;
            decode.end = 1;
        } else if r.is_finite() {
            decode.decode(r, round, round_max);
        } else {
            decode.class = if r.is_nan() {
                FpClass::Nan
            } else {
                FpClass::Infinite
            };
        }
        decode
    }

    /// The significant digits as ASCII; the first and the last are not 0, except for the value 0, which is one 0.
    #[inline]
    pub fn digits(&self) -> &[u8] {
        &self.digits[self.start as usize..self.end as usize]
    }

    fn decode(&mut self, r: f64, round: i32, round_max: i32) {
        let bits = r.to_bits();
        let (mut m, mut e) = (bits & 0x000f_ffff_ffff_ffff, (bits >> 52) as i32);
        if e == 0 {
            let shift = m.leading_zeros();
            m <<= shift;
            e = -1074 - shift as i32;
        } else {
            m = m << 11 | 1 << 63;
            e -= 1086;
        }
        let wanted = if round <= 0 || round >= 18 {
            18
        } else {
            round + 1
        };
        let (d, exponent) = to_decimal(m, e, wanted);

        let mut start = write_digits(&mut self.digits, d);
        let mut n = BUFFER_SIZE - start;
        self.decimal_point = n as i32 + exponent;
        let mut round = round;
        if round <= 0 {
            round = self.decimal_point.saturating_sub(round);
            if round == 0 && self.digits[start] >= b'5' {
                // 0.7 to no digits is 1: give the carry a place.
                round = 1;
                start -= 1;
                self.digits[start] = b'0';
                n += 1;
                self.decimal_point += 1;
            }
        }
        if round > 0 && (round < n as i32 || n as i32 > round_max) {
            let mut keep = round.min(round_max) as usize;
            if keep == 17 {
                keep = self.shorten(r, start, n, exponent).unwrap_or(keep);
            }
            n = keep;
            if self.digits[start + keep] >= b'5' && self.carry(start, keep) {
                start -= 1;
                self.digits[start] = b'1';
                n += 1;
                self.decimal_point += 1;
            }
        }
        let digits = &self.digits[start..start + n];
        let zeros = digits
            .iter()
            .rev()
            .take_while(|&&digit| digit == b'0')
            .count();
        self.start = start as u8;
        self.end = (start + n - zeros) as u8;
    }

    /// Adds one to the last of `keep` digits; true if that overflows them all, which leaves them 0.
    fn carry(&mut self, start: usize, keep: usize) -> bool {
        for digit in self.digits[start..start + keep].iter_mut().rev() {
            if *digit != b'9' {
                *digit += 1;
                return false;
            }
            *digit = b'0';
        }
        true
    }

    /// Rule 2: how many digits to round to instead of 17, if fewer give the same double.
    fn shorten(&self, r: f64, start: usize, n: usize, exponent: i32) -> Option<usize> {
        let z = &self.digits[start..start + n];
        let number = |digits: &[u8]| {
            digits
                .iter()
                .fold(0u64, |sum, &digit| sum * 10 + (digit - b'0') as u64)
        };
        let (kept, d) = if z[14] == b'9' && z[15] == b'9' {
            let kept = z[..14]
                .iter()
                .rposition(|&digit| digit != b'9')
                .map_or(0, |at| at + 1);
            (kept, number(&z[..kept]) + 1)
        } else if self.decimal_point >= n as i32 || z[13..16] == *b"000" {
            let kept = z[..13]
                .iter()
                .rposition(|&digit| digit != b'0')
                .map_or(1, |at| at + 1);
            (kept, number(&z[..kept]))
        } else {
            return None;
        };
        (from_decimal(d, exponent + (n - kept) as i32) == r).then_some(kept + 1)
    }
}

/// The digits of 00 to 99.
static DIGIT_PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

/// Writes the digits of `n` to the end of `buffer` and returns where they start. 0 is one digit.
///
/// # Panics
/// If the buffer is shorter than the digits; twenty bytes are always enough.
#[inline]
pub fn write_digits(buffer: &mut [u8], mut n: u64) -> usize {
    let mut at = buffer.len();
    while n >= 10 {
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&DIGIT_PAIRS[(n % 100) as usize]);
        n /= 100;
    }
    if n > 0 || at == buffer.len() {
        at -= 1;
        buffer[at] = b'0' + n as u8;
    }
    at
}
