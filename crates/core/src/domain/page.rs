//! A page of a list with its cursor.

/// A page of a list, and the cursor of the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C = i64> {
    /// The items of the page.
    pub items: Vec<T>,
    /// The cursor after which the next page starts; `None` on the last page.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// Creates a page of the first `limit` items. If `items` has more, a next page exists. `cursor` returns the cursor
    /// of an item.
    pub fn of(mut items: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> C) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(cursor);
        Self { items, next }
    }

    /// Converts each item of the page.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U, C> {
        Page { items: self.items.into_iter().map(convert).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_a_cursor_only_if_more_items_follow() {
        let page = |count: i64| Page::of((1..=count).collect(), 2, |item| *item);
        assert_eq!(page(3), Page { items: vec![1, 2], next: Some(2) });
        assert_eq!(page(2), Page { items: vec![1, 2], next: None });
        assert_eq!(page(0), Page { items: vec![], next: None });
    }
}
