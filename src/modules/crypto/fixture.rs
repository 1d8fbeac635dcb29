//! What `openssl` answers on the host in memory that the examples are applied to.

use crate::host::memory::MemoryHost;

/// A key of 2048 bits that is there.
pub(crate) const KEY: &str = "/etc/ssl/private/app.pem";
/// What stands for a private key: no program looks at it.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = concat!(
    "-----BEGIN PUBLIC KEY-----\n",
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAm3RgAWuFFZkqOUfnTbG8\n",
    "InCXX65EM2d7bE2QohlOOJrvddby58XcxSdHBcAgh7ZPFyIMarKngDl0VcqSyl4W\n",
    "NYFExZ5wmIispHPbsXqOcM5JeYhR2o1JEf15XJBpgKB2v1JQfZcKz81HtuCIBlzP\n",
    "5ak6owFkbEcmzXhsc1lYDNPNEHyx+QFgufwZ1EHd158CLygt532j5hK1QE9i9lu7\n",
    "agSY83QXUm4iRI9w1Gm6GX6pAVynfFaUq4bfgKhbz2j4XZtMsBbyneASI0bboi3l\n",
    "gk6a3SIj1bgWojxCFfgBNwGqUt5gdjDcVS07DFvC/rAjjPHxSSYOadDqLFezOjpQ\n",
    "eQIDAQAB\n",
    "-----END PUBLIC KEY-----\n",
);

/// Adds the answers: every key is the same.
pub(crate) fn answers(host: &mut MemoryHost) {
    host.add_file(KEY, PRIVATE).mode = 0o600;
    host.answer(&["openssl", "genpkey", "*"], 0, PRIVATE);
    host.answer(&["openssl", "pkey", "*"], 0, PRIVATE);
    host.answer(&["openssl", "pkey", "-pubout", "*"], 0, PUBLIC);
}
