//! Seeded chance, and the distributions that traces are drawn from.

/// A generator (xorshift64*).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// From a seed.
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(n)) >> 64) as u64
    }

    /// A number from 0 to 1.
    pub fn part(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

/// Zipf's distribution over `0..n`: the k-th most frequent is 1/k^s as frequent as the first. Drawn by Gray's method
/// ("Quickly generating billion-record synthetic databases", 1994), so s is below 1.
#[derive(Clone, Debug)]
pub struct Zipf {
    n: u64,
    s: f64,
    zeta: f64,
    alpha: f64,
    eta: f64,
}

impl Zipf {
    /// Over `n` items, with exponent `s` from 0 (all alike) to below 1.
    pub fn new(n: u64, s: f64) -> Zipf {
        let zeta = |n: u64| (1..=n).map(|k| (k as f64).powf(-s)).sum::<f64>();
        let all = zeta(n);
        Zipf {
            n,
            s,
            zeta: all,
            alpha: 1.0 / (1.0 - s),
            eta: (1.0 - (2.0 / n as f64).powf(1.0 - s)) / (1.0 - zeta(2.min(n)) / all),
        }
    }

    /// One of the items; 0 is the most frequent.
    pub fn draw(&self, chance: &mut Chance) -> u64 {
        let part = chance.part();
        let scaled = part * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5_f64.powf(self.s) {
            return 1.min(self.n - 1);
        }
        let at = self.n as f64 * (self.eta * part - self.eta + 1.0).powf(self.alpha);
        (at as u64).min(self.n - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frequent_are_frequent() {
        let (mut chance, zipf) = (Chance::new(3), Zipf::new(1000, 0.9));
        let mut counts = vec![0_u32; 1000];
        for _ in 0..100_000 {
            counts[zipf.draw(&mut chance) as usize] += 1;
        }
        assert!(counts[0] > counts[1] && counts[1] > counts[20] && counts[20] > counts[900]);
        assert!((9000..20_000).contains(&counts[0]), "{}", counts[0]);
    }
}
