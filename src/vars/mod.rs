//! Variables: values, where they came from, and which definition wins.

mod convert;
pub mod python;
pub mod scope;
pub mod value;

pub use scope::{Definition, Layer, Origin, Precedence, Scope, Variable, Variables, World};
pub use value::{Key, Map, Value};
