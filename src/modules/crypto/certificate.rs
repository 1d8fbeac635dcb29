//! Certificates: read and put together.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::der::{self, SEQUENCE, TIME, UTC_TIME};
use super::extension::{self, Extensions};
use super::names;
use crate::change::sha256;
use crate::files::tempfile::random_word;
use crate::outcome::Failure;

/// What a certificate says.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    /// The parts of the issuer's name.
    pub(super) issuer: Vec<(String, String)>,
    /// The parts of the subject.
    pub(super) subject: Vec<(String, String)>,
    /// The encoding of the subject, as certificates that it signs have it.
    pub(super) subject_name: Vec<u8>,
    /// The public key, `SubjectPublicKeyInfo`.
    pub(super) public: Vec<u8>,
    pub(super) extensions: Extensions,
    /// From when to when it counts, seconds since the epoch.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// Its number, in hexadecimal digits.
    pub(super) serial: String,
}

fn second(element: &der::Element<'_>) -> Result<i64, Failure> {
    let text = String::from_utf8_lossy(element.content).into_owned();
    let text = if element.tag == UTC_TIME {
        let century = if text.as_str() < "5" { "20" } else { "19" };
        format!("{century}{text}")
    } else {
        text
    };
    moment(&text).ok_or_else(|| Failure::new(format!("`{text}` is not a time")))
}

/// `20300131235959Z` in seconds since the epoch.
fn moment(text: &str) -> Option<i64> {
    let time = DateTime::strptime("%Y%m%d%H%M%S", text.strip_suffix('Z')?).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// Seconds since the epoch as `20300131235959Z`.
pub(super) fn time_text(second: i64) -> String {
    let moment = jiff::Timestamp::from_second(second).unwrap_or_default();
    moment.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%SZ").to_string()
}

fn time(second: i64) -> Vec<u8> {
    let text = time_text(second);
    let short = ("1950".."2050").contains(&&text[..4]);
    if short { der::element(UTC_TIME, &text.as_bytes()[2..]) } else { der::element(TIME, text.as_bytes()) }
}

/// A time as playbooks have it, `20300131235959Z` or `+52w1d12h`, in seconds since the epoch.
pub(super) fn when(option: &str, text: &str, now: i64) -> Result<i64, Failure> {
    let wrong = || Failure::new(format!("`{option}`: `{text}` is neither a time like `20300131235959Z` nor one like `+52w1d`"));
    let Some(first) = text.chars().next().filter(|first| ['+', '-'].contains(first)) else {
        return moment(text).ok_or_else(wrong);
    };
    let (mut sum, mut digits) = (0_i64, String::new());
    for letter in text.chars().skip(1) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit = match letter.to_ascii_lowercase() {
            'w' => 604_800,
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let count: i64 = digits.parse().map_err(|_| wrong())?;
        sum = count.checked_mul(unit).and_then(|part| sum.checked_add(part)).ok_or_else(wrong)?;
        digits.clear();
    }
    if !digits.is_empty() {
        return Err(wrong());
    }
    now.checked_add(if first == '-' { -sum } else { sum }).ok_or_else(wrong)
}

impl Certificate {
    /// Reads the first certificate of a text.
    pub(super) fn read(text: &[u8]) -> Result<Self, Failure> {
        let (_, bytes) = der::from_pem(text, "CERTIFICATE").ok_or_else(|| Failure::new("it is not a certificate"))?;
        let mut body = der::at(&der::one(&bytes)?.inside()?, 0)?.inside()?;
        if body.first().is_some_and(|first| first.tag == 0xa0) {
            body.remove(0);
        }
        let validity = der::at(&body, 3)?.inside()?;
        let extensions = body.iter().find(|part| part.tag == 0xa3).map(|part| extension::decode(part.content)).transpose()?;
        let subject = der::at(&body, 4)?.whole;
        Ok(Self {
            issuer: names::parts(der::at(&body, 2)?.whole)?,
            subject: names::parts(subject)?,
            subject_name: subject.to_vec(),
            public: der::at(&body, 5)?.whole.to_vec(),
            extensions: extensions.unwrap_or_default(),
            not_before: second(&der::at(&validity, 0)?)?,
            not_after: second(&der::at(&validity, 1)?)?,
            serial: crate::change::hex(der::at(&body, 0)?.content),
        })
    }

    /// What is signed, with this algorithm by an issuer of this name.
    pub(super) fn body(&self, algorithm: &[u8], issuer: &[u8]) -> Result<Vec<u8>, Failure> {
        // A new number of 19 bytes, whose first is never zero.
        let digits = sha256(random_word(40).as_bytes());
        let mut serial: Vec<u8> = digits.as_bytes().chunks(2).take(19).map(|pair| pair[0] << 4 ^ pair[1]).collect();
        serial[0] = serial[0] & 0x7f | 0x40;
        let mut parts = vec![
            der::list(0xa0, [der::number(&[2])]),
            der::number(&serial),
            algorithm.to_vec(),
            issuer.to_vec(),
            der::list(SEQUENCE, [time(self.not_before), time(self.not_after)]),
            self.subject_name.clone(),
            self.public.clone(),
        ];
        if !self.extensions.is_empty() {
            parts.push(der::list(0xa3, [extension::encode(&self.extensions)?]));
        }
        Ok(der::list(SEQUENCE, parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_or_relative() {
        for (text, expected) in [
            ("19700102000000Z", Some(86_400)),
            ("20380119031408Z", Some(2_147_483_648)),
            ("+0s", Some(1000)),
            ("+1d1h", Some(91_000)),
            ("-1m", Some(940)),
            ("+1", None),
            ("+d", None),
            ("+1y", None),
            ("tomorrow", None),
            ("+99999999999999999w", None),
        ] {
            assert_eq!(when("not_after", text, 1000).ok(), expected, "{text}");
        }
        for second_of in [0, 2_524_607_999, 2_524_608_000, 4_000_000_000] {
            assert_eq!(second(&der::one(&time(second_of)).unwrap()).unwrap(), second_of);
        }
    }
}
