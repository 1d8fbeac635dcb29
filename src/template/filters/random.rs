//! `random` and `shuffle`. With a seed they choose what Python's generator chooses, so that a cron
//! minute made with `random(seed=inventory_hostname)` stays what it was under Ansible.

use sha2::Digest as _;

use super::{Filter, filter, whole};
use crate::template::error::fail;
use crate::template::eval::Interpreter;
use crate::template::runtime::{Number, Runtime, number};
use crate::template::val::{Args, Res, Val};

pub(super) const FILTERS: &[Filter] = &[filter("random", random), filter("shuffle", shuffle)];

/// Words of the Mersenne Twister's state.
const WORDS: usize = 624;

/// MT19937, seeded as Python's `random.Random` seeds it.
struct Twister {
    state: [u32; WORDS],
    at: usize,
}

impl Twister {
    /// Seeds with the words of a large number, the lowest first.
    fn of_words(key: &[u32]) -> Self {
        let mut state = [0; WORDS];
        state[0] = 19_650_218_u32;
        for at in 1..WORDS {
            state[at] = 1_812_433_253_u32.wrapping_mul(state[at - 1] ^ (state[at - 1] >> 30)).wrapping_add(at as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..WORDS.max(key.len()) {
            state[i] = (state[i] ^ (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_664_525))
                .wrapping_add(key[j])
                .wrapping_add(j as u32);
            i += 1;
            if i >= WORDS {
                state[0] = state[WORDS - 1];
                i = 1;
            }
            j = (j + 1) % key.len();
        }
        for _ in 1..WORDS {
            state[i] = (state[i] ^ (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i += 1;
            if i >= WORDS {
                state[0] = state[WORDS - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, at: WORDS }
    }

    fn of_text(text: &str) -> Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.extend_from_slice(&sha2::Sha512::digest(text.as_bytes()));
        bytes.reverse();
        let mut words: Vec<u32> =
            bytes.chunks(4).map(|chunk| chunk.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte))).collect();
        while words.len() > 1 && words.last() == Some(&0) {
            words.pop();
        }
        Self::of_words(&words)
    }

    fn of_number(seed: i64) -> Self {
        let seed = seed.unsigned_abs();
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        if high == 0 { Self::of_words(&[low]) } else { Self::of_words(&[low, high]) }
    }

    fn word(&mut self) -> u32 {
        if self.at >= WORDS {
            for at in 0..WORDS {
                let mixed = (self.state[at] & 0x8000_0000) | (self.state[(at + 1) % WORDS] & 0x7fff_ffff);
                let odd = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[at] = self.state[(at + 397) % WORDS] ^ (mixed >> 1) ^ odd;
            }
            self.at = 0;
        }
        let mut word = self.state[self.at];
        self.at += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn bits(&mut self, count: u32) -> u64 {
        if count <= 32 {
            return u64::from(self.word() >> (32 - count));
        }
        let low = u64::from(self.word());
        low | (u64::from(self.word() >> (64 - count)) << 32)
    }

    /// A number from 0 up to, but without, `end`.
    fn below(&mut self, end: u64) -> u64 {
        let bits = 64 - end.leading_zeros();
        loop {
            let number = self.bits(bits);
            if number < end {
                return number;
            }
        }
    }
}

/// The generator for the argument `seed`, or one that nobody can foresee.
fn generator(runtime: &Runtime, args: &mut Args) -> Res<Twister> {
    seeded(runtime, args.next("seed"))
}

/// The generator of a seed.
fn seeded(runtime: &Runtime, seed: Option<Val>) -> Res<Twister> {
    Ok(match seed {
        None | Some(Val::Null) => {
            let seed: [u8; 32] = rand::random();
            Twister::of_words(
                &seed.chunks(4).map(|chunk| u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]])).collect::<Vec<_>>(),
            )
        }
        Some(Val::Int(seed)) => Twister::of_number(seed),
        Some(Val::Bool(seed)) => Twister::of_number(seed.into()),
        Some(seed) => Twister::of_text(&runtime.string(&seed)?),
    })
}

/// Text of so many characters out of `chars`, as `random.Random(seed)` chooses them.
pub(in crate::template) fn characters(runtime: &Runtime, seed: Val, chars: &[char], length: usize) -> Res<String> {
    let mut generator = seeded(runtime, Some(seed))?;
    Ok((0..length).map(|_| chars[generator.below(chars.len() as u64) as usize]).collect())
}

fn random(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let (start, step) = (args.next("start"), args.next("step"));
    let mut generator = generator(it.runtime, args)?;
    if let Some(Number::Int(end)) = number(&input) {
        let given = |value: Option<Val>, default| match value {
            None | Some(Val::Null) => Ok(default),
            Some(value) => whole(&value),
        };
        let (start, step) = (given(start, 0)?, given(step, 1)?);
        if step < 1 || end <= start {
            return Err(fail("there is no number between the start and the end"));
        }
        let steps = (end.saturating_sub(start) - 1) / step + 1;
        return Ok(Val::Int(start + step * generator.below(steps as u64) as i64));
    }
    let items = it.runtime.items(&input)?;
    if items.is_empty() {
        return Err(fail("there is nothing to choose from"));
    }
    Ok(items[generator.below(items.len() as u64) as usize].clone())
}

fn shuffle(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let mut generator = generator(it.runtime, args)?;
    // As Ansible has it, what has no items stays as it is.
    if matches!(input, Val::Null | Val::Bool(_) | Val::Int(_) | Val::Float(_)) {
        return Ok(input);
    }
    let mut items = it.runtime.items(&input)?;
    for at in (1..items.len()).rev() {
        items.swap(at, generator.below(at as u64 + 1) as usize);
    }
    Ok(Val::list(items))
}
