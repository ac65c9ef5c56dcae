//! "Did you mean": the names nearest to a misspelt one.

/// How many names are worth showing.
const SHOWN: usize = 3;

/// The longest text that is compared; the cost is its length times that of each name.
const LONGEST: usize = 64;

/// The names that look like `text`, nearest first, each once, at most three.
pub fn names<'a>(text: &str, among: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let text: Vec<char> = text.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    // One slip in three characters is a typing error; more is another word.
    let limit = (text.len() / 3).max(1);
    let mut found: Vec<(usize, bool, &str)> = among
        .into_iter()
        .filter_map(|name| {
            // Of two equally near, the one that starts the same is the likelier.
            Some((distance(&text, name, limit)?, !name.starts_with(text.first().copied()?), name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.truncate(SHOWN);
    found.into_iter().map(|(_, _, name)| name).collect()
}

/// A text with the advice to try one of these names, if there are any.
pub(crate) fn hinted(text: String, names: &[&str]) -> String {
    if names.is_empty() { text } else { format!("{text}\n  try      {}", names.join(", ")) }
}

/// How many characters must be put in, left out, changed or swapped with their neighbour; none
/// past the limit (optimal string alignment).
fn distance(text: &[char], name: &str, limit: usize) -> Option<usize> {
    // Most names are of another length; that is seen before anything is compared.
    if name.is_ascii() && text.len().abs_diff(name.len().min(LONGEST)) > limit {
        return None;
    }
    let name: Vec<char> = name.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    if text.len().abs_diff(name.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=name.len()).collect();
    for (row, &a) in text.iter().enumerate() {
        let mut line = vec![row + 1];
        for (at, &b) in name.iter().enumerate() {
            let left = line.get(at).copied().unwrap_or(usize::MAX - 1);
            let up = above.get(at + 1).copied().unwrap_or(usize::MAX - 1);
            let diagonal = above.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut best = (left + 1).min(up + 1).min(diagonal + usize::from(a != b));
            let swapped = at > 0 && row > 0 && text.get(row - 1) == Some(&b) && name.get(at - 1) == Some(&a);
            if swapped && let Some(cost) = before.get(at - 1) {
                best = best.min(cost + 1);
            }
            line.push(best);
        }
        // What two lines are past, no later one comes back from.
        if line.iter().chain(&above).all(|cost| *cost > limit) {
            return None;
        }
        (before, above) = (above, line);
    }
    above.last().copied().filter(|cost| *cost <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_strangers_do_not_come() {
        assert_eq!(names("netbot", ["netboot", "mgt", "next", "netboot"]), ["netboot"]);
        assert_eq!(names("grops", ["drops", "group", "groups"]), ["groups", "drops"]);
        assert_eq!(names("qqqqqq", ["netboot", "mgt"]), [""; 0]);
    }

    #[test]
    fn two_swapped_letters_are_one_slip() {
        assert_eq!(names("mtg", ["mgt", "mac"]), ["mgt"]);
    }
}
