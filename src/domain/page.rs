//! A page of a list.

/// A page of a list, and where the next page starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C = i64> {
    /// The items of the page.
    pub items: Vec<T>,
    /// The cursor after which the next page starts; `None` on the last page.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// The first `limit` of `items`, which has one item more if there is another page. `cursor` gives the cursor of an
    /// item.
    pub fn of(mut items: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> C) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(cursor);
        Self { items, next }
    }

    /// The page with each item converted.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U, C> {
        Page { items: self.items.into_iter().map(convert).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_with_more_items_behind_it_has_a_cursor() {
        let page = |count: i64| Page::of((1..=count).collect(), 2, |item| *item);
        assert_eq!(page(3), Page { items: vec![1, 2], next: Some(2) });
        assert_eq!(page(2), Page { items: vec![1, 2], next: None });
        assert_eq!(page(0), Page { items: vec![], next: None });
    }
}
