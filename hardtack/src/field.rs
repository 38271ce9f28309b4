//! [`Field`]: a typed key.

use std::marker::PhantomData;

/// A typed key of a session's data. Declare it once as a constant; reader and writer then agree on
/// the name and the type.
///
/// ```
/// use hardtack::Field;
///
/// const THEME: Field<String> = Field::new("theme");
/// ```
pub struct Field<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

/// The longest name of a field, in bytes. A longer one is refused with
/// [`FieldError::Name`](crate::FieldError::Name).
pub(crate) const MAX_NAME: usize = 255;

impl<T> Field<T> {
    /// A field called `name`: 1 to 255 bytes of UTF-8.
    ///
    /// # Panics
    ///
    /// While compiling, when the name is empty or longer, if the field is a constant as it should be.
    pub const fn new(name: &'static str) -> Self {
        assert!(!name.is_empty() && name.len() <= MAX_NAME, "a field's name has 1 to 255 bytes");
        Self { name, value: PhantomData }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Field<T> {}

impl<T> std::fmt::Debug for Field<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Field({:?})", self.name)
    }
}
