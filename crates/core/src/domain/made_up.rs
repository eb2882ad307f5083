//! The ids of generated posts. Their format distinguishes generated posts from other posts.

const PREFIX: &str = "syn-";
/// The number of digits in the id of a run, which is a UUID.
const RUN_DIGITS: usize = 32;

/// The id of the post with this index in a run of the generator.
pub fn post_id(run: &str, index: u64) -> String {
    format!("{PREFIX}{run}-{index}")
}

/// Whether `post_id` is the id of a generated post.
pub fn is_made_up(post_id: &str) -> bool {
    let rest = post_id.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    rest.is_some_and(|(run, number)| {
        run.len() == RUN_DIGITS
            && run.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn only_ids_in_the_generator_format_count_as_generated() {
        assert!(is_made_up(&post_id(RUN, 17)));
        for other in ["syn-1", "syn-drome-12", &format!("syn-{RUN}-"), &format!("syn-{RUN}-x"), &format!("x-{RUN}-1")] {
            assert!(!is_made_up(other), "{other}");
        }
    }
}
