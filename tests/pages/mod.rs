//! Markdown pages as data for tests: the fenced blocks of a page, and where they stand.

/// One fenced block: its words after the fence, and its text.
pub(crate) struct Block {
    /// The words after the fence.
    pub(crate) words: Vec<String>,
    /// What stands in it.
    pub(crate) text: String,
    /// Byte range of the text in the page.
    pub(crate) at: std::ops::Range<usize>,
}

/// The fenced blocks of a page.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut open, mut offset): (Vec<Block>, Option<(Vec<String>, usize)>, usize) = (Vec::new(), None, 0);
    for line in page.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("```") {
            match open.take() {
                None => open = Some((rest.split_whitespace().map(str::to_owned).collect(), offset + line.len())),
                Some((words, start)) => blocks.push(Block { words, text: page[start..offset].to_owned(), at: start..offset }),
            }
        }
        offset += line.len();
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The blocks of a page by its headings of the second level; what stands before the first comes first,
/// with an empty name.
#[allow(dead_code, reason = "not every crate of tests has pages with headings")]
pub(crate) fn sections(page: &str) -> Vec<(String, Vec<Block>)> {
    let mut sections: Vec<(usize, String, Vec<Block>)> = vec![(0, String::new(), Vec::new())];
    let blocks = blocks(page);
    let inside = |at: usize| blocks.iter().any(|block| block.at.contains(&at));
    let mut offset = 0;
    for line in page.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("## ").filter(|_| !inside(offset)) {
            sections.push((offset, name.trim().to_owned(), Vec::new()));
        }
        offset += line.len();
    }
    for block in blocks {
        let section = sections.iter_mut().rfind(|(at, ..)| *at <= block.at.start).expect("the first begins with the page");
        section.2.push(block);
    }
    sections.into_iter().map(|(_, name, blocks)| (name, blocks)).collect()
}
