//! Parameters of a statement: positional or named, from tuples, arrays, vectors and macros.

use crate::error::{BoxError, Error, Result};
use crate::value::Value;

mod sealed {
    pub trait Sealed {}
}
use sealed::Sealed;

/// Anything that can be passed as a statement's parameters.
///
/// Positional: `()`, tuples of up to 16 values, arrays, `Vec<T>`, [`params!`](crate::params!) for
/// mixed types of any number, [`params_from_iter`]. The first value is `?1`.
/// Named: tuples or arrays of `(":name", value)` pairs, [`named_params!`](crate::named_params!).
pub trait IntoParams: Sealed {
    /// Converts; the error is a value that has no SQL form.
    fn into_params(self) -> Result<Params>;
}

/// A statement's parameters, converted.
#[derive(Clone, Debug, Default)]
pub enum Params {
    /// No parameters.
    #[default]
    None,
    /// `?1`, `?2`, … in order.
    Positional(Vec<Value>),
    /// By name, with its prefix (`:`, `@`, `$`).
    Named(Vec<(String, Value)>),
}

/// Anything that converts to a [`Value`].
pub trait IntoValue {
    /// Converts; the error is a value that has no SQL form (a `u64` above `i64::MAX`).
    fn into_value(self) -> Result<Value>;
}

impl<T> IntoValue for T
where
    T: TryInto<Value>,
    T::Error: Into<BoxError>,
{
    fn into_value(self) -> Result<Value> {
        self.try_into()
            .map_err(|e| Error::ToSqlConversionFailure(e.into()))
    }
}

impl IntoValue for Result<Value> {
    fn into_value(self) -> Result<Value> {
        self
    }
}

/// Positional parameters from an iterator.
pub fn params_from_iter<I>(iter: I) -> impl IntoParams
where
    I: IntoIterator,
    I::Item: IntoValue,
{
    iter.into_iter().collect::<Vec<_>>()
}

impl Sealed for () {}
impl IntoParams for () {
    fn into_params(self) -> Result<Params> {
        Ok(Params::None)
    }
}

impl Sealed for Params {}
impl IntoParams for Params {
    fn into_params(self) -> Result<Params> {
        Ok(self)
    }
}

impl<T: IntoValue> Sealed for Vec<T> {}
impl<T: IntoValue> IntoParams for Vec<T> {
    fn into_params(self) -> Result<Params> {
        self.into_iter()
            .map(IntoValue::into_value)
            .collect::<Result<_>>()
            .map(Params::Positional)
    }
}

impl<T: IntoValue> Sealed for Vec<(String, T)> {}
impl<T: IntoValue> IntoParams for Vec<(String, T)> {
    fn into_params(self) -> Result<Params> {
        self.into_iter()
            .map(|(name, value)| Ok((name, value.into_value()?)))
            .collect::<Result<_>>()
            .map(Params::Named)
    }
}

impl<T: IntoValue, const N: usize> Sealed for [T; N] {}
impl<T: IntoValue, const N: usize> IntoParams for [T; N] {
    fn into_params(self) -> Result<Params> {
        self.into_iter()
            .map(IntoValue::into_value)
            .collect::<Result<_>>()
            .map(Params::Positional)
    }
}

impl<T: IntoValue + Clone, const N: usize> Sealed for &[T; N] {}
impl<T: IntoValue + Clone, const N: usize> IntoParams for &[T; N] {
    fn into_params(self) -> Result<Params> {
        self.clone().into_params()
    }
}

impl<T: IntoValue, const N: usize> Sealed for [(&str, T); N] {}
impl<T: IntoValue, const N: usize> IntoParams for [(&str, T); N] {
    fn into_params(self) -> Result<Params> {
        self.into_iter()
            .map(|(name, value)| Ok((name.to_owned(), value.into_value()?)))
            .collect::<Result<_>>()
            .map(Params::Named)
    }
}

macro_rules! tuple_into_params {
    ($($field:tt $ty:ident),+) => {
        impl<$($ty: IntoValue),+> Sealed for ($($ty,)+) {}
        impl<$($ty: IntoValue),+> IntoParams for ($($ty,)+) {
            fn into_params(self) -> Result<Params> {
                Ok(Params::Positional(vec![$(self.$field.into_value()?),+]))
            }
        }
        impl<$($ty: IntoValue),+> Sealed for ($((&str, $ty),)+) {}
        impl<$($ty: IntoValue),+> IntoParams for ($((&str, $ty),)+) {
            fn into_params(self) -> Result<Params> {
                Ok(Params::Named(vec![$((self.$field.0.to_owned(), self.$field.1.into_value()?)),+]))
            }
        }
    };
}
tuple_into_params!(0 A);
tuple_into_params!(0 A, 1 B);
tuple_into_params!(0 A, 1 B, 2 C);
tuple_into_params!(0 A, 1 B, 2 C, 3 D);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E, 5 F);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K, 11 L);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K, 11 L, 12 M);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K, 11 L, 12 M, 13 N);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K, 11 L, 12 M, 13 N, 14 O);
tuple_into_params!(0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H, 8 I, 9 J, 10 K, 11 L, 12 M, 13 N, 14 O, 15 P);

/// Positional parameters of mixed types: `params![1, "two", 3.0, None::<i64>]`.
#[macro_export]
macro_rules! params {
    () => { () };
    ($($value:expr),* $(,)?) => {{
        #[allow(unused_imports)]
        use $crate::params::IntoValue;
        [$($value.into_value()),*]
    }};
}

/// Named parameters of mixed types: `named_params! {":a": 1, "@b": "two"}`.
#[macro_export]
macro_rules! named_params {
    () => { () };
    ($($name:literal: $value:expr),* $(,)?) => {{
        #[allow(unused_imports)]
        use $crate::params::IntoValue;
        [$(($name, $value.into_value())),*]
    }};
}
