//! Variables: values, where they came from, and which definition wins.

pub mod scope;
pub mod value;

pub use scope::{Definition, Layer, Origin, Precedence, Scope, Variable, Variables, World};
pub use value::{Key, Map, Value};
