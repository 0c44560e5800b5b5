//! The format of a backup's file: `magic schema part* end`, numbers big-endian. A part is the length of its name, the name, the length
//! of its content, the content, and its SHA-256. The end is an empty name, the number of parts, and the SHA-256 of everything before;
//! nothing follows it. Whoever cannot write the rest says why instead: a name of 65535 bytes stands for that, and the reason follows.

use sha2::{Digest, Sha256};
use std::io::{self, ErrorKind, Read, Write};

const MAGIC: [u8; 8] = *b"octoback";
/// The shape of the file that this build writes and reads.
const SCHEMA: u16 = 1;
/// The longest name of a part, and the longest reason why there is no more.
const MAX_NAME: u16 = 1_024;
/// Stands where the length of a name would.
const ABANDONED: u16 = u16::MAX;
/// How much is copied at once: bounds memory.
const CHUNK: usize = 256 * 1024;

/// The file is not a whole backup.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it is no backup")]
    Foreign,
    /// A later build made it.
    #[error("it has the shape {0}, this build reads {SCHEMA}: use the build that made it, or a later one")]
    Later(u16),
    /// It ends too early.
    #[error("it is cut off in {0}")]
    CutOff(String),
    /// A part is not what was written.
    #[error("{0} is damaged: its checksum does not match")]
    Damaged(String),
    /// Something comes after the end.
    #[error("something follows its end")]
    Followed,
    /// It does not have what every backup has.
    #[error("{0} is not in it")]
    Lacking(&'static str),
    /// Whoever wrote it could not go on, and said why.
    #[error("{0}")]
    Abandoned(String),
}

/// Writes a backup, part by part.
pub(crate) struct ArchiveWriter<W> {
    out: W,
    whole: Sha256,
    parts: u32,
    piece: Vec<u8>,
    /// Whether a part has begun and not ended: then nothing else can be written.
    within: bool,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins a backup.
    pub(crate) fn new(out: W) -> io::Result<Self> {
        let mut writer = Self { out, whole: Sha256::new(), parts: 0, piece: vec![0; CHUNK], within: false };
        writer.put(&MAGIC)?;
        writer.put(&SCHEMA.to_be_bytes())?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.whole.update(bytes);
        self.out.write_all(bytes)
    }

    /// Writes a part of `length` bytes, which `source` has to its end.
    pub(crate) fn part(&mut self, name: &str, length: u64, source: &mut impl Read) -> io::Result<()> {
        let size = u16::try_from(name.len()).ok().filter(|size| (1..=MAX_NAME).contains(size));
        let size = size.ok_or_else(|| io::Error::other(format!("'{name}' is no name of a part")))?;
        self.within = true;
        self.put(&size.to_be_bytes())?;
        self.put(name.as_bytes())?;
        self.put(&length.to_be_bytes())?;
        let mut piece = std::mem::take(&mut self.piece);
        let copied = self.copy(length, source, &mut piece);
        self.piece = piece;
        let checksum = copied.map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                return io::Error::other(format!("{name} has become shorter"));
            }
            error
        })?;
        self.put(&checksum)?;
        self.within = false;
        self.parts += 1;
        Ok(())
    }

    fn copy(&mut self, length: u64, source: &mut impl Read, piece: &mut [u8]) -> io::Result<[u8; 32]> {
        let (mut checksum, mut left) = (Sha256::new(), length);
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            source.read_exact(&mut piece[..wanted])?;
            checksum.update(&piece[..wanted]);
            self.put(&piece[..wanted])?;
            left -= wanted as u64;
        }
        Ok(checksum.finalize().into())
    }

    /// Writes the end.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.put(&0_u16.to_be_bytes())?;
        let parts = self.parts;
        self.put(&parts.to_be_bytes())?;
        let checksum = self.whole.clone().finalize();
        self.out.write_all(&checksum)?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Says why there is no more. In the middle of a part there is no room for that: whoever reads it sees that it is cut off.
    pub(crate) fn abandon(mut self, reason: &str) -> io::Result<W> {
        if !self.within {
            let end = reason.floor_char_boundary(usize::from(MAX_NAME));
            let reason = reason.as_bytes().get(..end).unwrap_or_default();
            self.out.write_all(&ABANDONED.to_be_bytes())?;
            self.out.write_all(&u16::try_from(reason.len()).unwrap_or(MAX_NAME).to_be_bytes())?;
            self.out.write_all(reason)?;
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Reads a backup, part by part.
pub(crate) struct ArchiveReader<R> {
    from: R,
    whole: Sha256,
    parts: u32,
    piece: Vec<u8>,
}

impl<R: Read> ArchiveReader<R> {
    /// Begins to read one.
    pub(crate) fn new(from: R) -> Result<Self, ArchiveError> {
        let mut reader = Self { from, whole: Sha256::new(), parts: 0, piece: vec![0; CHUNK] };
        let magic: [u8; 8] = reader.take("its beginning")?;
        if magic != MAGIC {
            return Err(ArchiveError::Foreign);
        }
        match u16::from_be_bytes(reader.take("its beginning")?) {
            SCHEMA => Ok(reader),
            schema => Err(ArchiveError::Later(schema)),
        }
    }

    fn read(&mut self, bytes: &mut [u8], what: &str) -> Result<(), ArchiveError> {
        self.from.read_exact(bytes).map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof { ArchiveError::CutOff(what.to_owned()) } else { error.into() }
        })?;
        self.whole.update(bytes);
        Ok(())
    }

    fn take<const N: usize>(&mut self, what: &str) -> Result<[u8; N], ArchiveError> {
        let mut bytes = [0; N];
        self.read(&mut bytes, what)?;
        Ok(bytes)
    }

    fn text(&mut self, length: u16, what: &str) -> Result<String, ArchiveError> {
        if length > MAX_NAME {
            return Err(ArchiveError::Damaged(what.to_owned()));
        }
        let mut bytes = vec![0; usize::from(length)];
        self.read(&mut bytes, what)?;
        String::from_utf8(bytes).map_err(|_| ArchiveError::Damaged(what.to_owned()))
    }

    /// The next part, whose content goes to where `place` says by its name; nothing at the end. What is in a place is good only once
    /// this has returned.
    pub(crate) fn next<W: Write>(
        &mut self,
        place: impl FnOnce(&str) -> io::Result<W>,
    ) -> Result<Option<String>, ArchiveError> {
        const NAME: &str = "the name of a part";
        let size = u16::from_be_bytes(self.take(NAME)?);
        if size == 0 {
            return self.end().map(|()| None);
        }
        if size == ABANDONED {
            let length = u16::from_be_bytes(self.take("the reason why it ends")?);
            return Err(ArchiveError::Abandoned(self.text(length, "the reason why it ends")?));
        }
        let name = self.text(size, NAME)?;
        let left = u64::from_be_bytes(self.take(&name)?);
        let mut out = place(&name)?;
        let mut piece = std::mem::take(&mut self.piece);
        let copied = self.copy(left, &name, &mut out, &mut piece);
        self.piece = piece;
        let found = copied?;
        let expected: [u8; 32] = self.take(&name)?;
        if expected != found {
            return Err(ArchiveError::Damaged(name));
        }
        out.flush()?;
        self.parts = self.parts.saturating_add(1);
        Ok(Some(name))
    }

    fn copy(
        &mut self,
        mut left: u64,
        name: &str,
        out: &mut impl Write,
        piece: &mut [u8],
    ) -> Result<[u8; 32], ArchiveError> {
        let mut checksum = Sha256::new();
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            self.read(&mut piece[..length], name)?;
            checksum.update(&piece[..length]);
            out.write_all(&piece[..length])?;
            left -= length as u64;
        }
        Ok(checksum.finalize().into())
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let parts = u32::from_be_bytes(self.take("its end")?);
        let expected: [u8; 32] = self.whole.clone().finalize().into();
        let found: [u8; 32] = self.take("its end")?;
        if parts != self.parts || expected != found {
            return Err(ArchiveError::Damaged("its end".to_owned()));
        }
        if self.from.read(&mut [0])? != 0 {
            return Err(ArchiveError::Followed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn archive<N: AsRef<str>>(parts: &[(N, Vec<u8>)]) -> Vec<u8> {
        let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
        for (name, content) in parts {
            writer.part(name.as_ref(), content.len() as u64, &mut content.as_slice()).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
        let mut reader = ArchiveReader::new(bytes)?;
        let mut found = BTreeMap::new();
        loop {
            let mut content = Vec::new();
            match reader.next(|_| Ok(&mut content))? {
                Some(name) => found.insert(name, content),
                None => return Ok(found),
            };
        }
    }

    fn parts() -> [(&'static str, Vec<u8>); 3] {
        [("manifest.json", b"{}".to_vec()), ("groups/1", vec![7; 3 * CHUNK + 5]), ("blobs/x", Vec::new())]
    }

    fn small() -> Vec<u8> {
        archive(&[("manifest.json", b"{}".to_vec()), ("groups/1", vec![7; 100])])
    }

    #[test]
    fn damage_is_told_with_the_name_of_the_part() {
        let whole = archive(&parts());
        let mut damaged = whole.clone();
        damaged[CHUNK] ^= 1;
        let error = read(&damaged).unwrap_err();
        assert!(matches!(&error, ArchiveError::Damaged(part) if part == "groups/1"), "{error}");
        let error = read(&whole[..CHUNK]).unwrap_err();
        assert!(matches!(&error, ArchiveError::CutOff(part) if part == "groups/1"), "{error}");
        assert!(matches!(read(b"something else altogether"), Err(ArchiveError::Foreign)));
        let mut later = whole.clone();
        later[9] = 9;
        assert!(matches!(read(&later), Err(ArchiveError::Later(9))));
        let followed = [whole, vec![0]].concat();
        assert!(matches!(read(&followed), Err(ArchiveError::Followed)));
    }

    #[test]
    fn a_backup_that_is_cut_anywhere_is_not_taken_for_whole() {
        let whole = small();
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn a_backup_with_one_wrong_bit_is_not_taken_for_whole() {
        let whole = small();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut wrong = whole.clone();
                wrong[at] ^= 1 << bit;
                assert!(read(&wrong).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn whoever_cannot_go_on_says_why() {
        let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
        writer.part("manifest.json", 2, &mut b"{}".as_slice()).unwrap();
        let reason = format!("the disk is full {}", "\u{fc}".repeat(1_000));
        let bytes = writer.abandon(&reason).unwrap();
        let error = read(&bytes).unwrap_err();
        assert!(matches!(&error, ArchiveError::Abandoned(told) if reason.starts_with(told)), "{error}");
        assert!(error.to_string().starts_with("the disk is full"), "{error}");
        // Where a part has begun, a reason would be taken for its content.
        let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
        let error = writer.part("groups/1", 5, &mut b"1234".as_slice()).unwrap_err();
        assert_eq!(error.to_string(), "groups/1 has become shorter");
        let error = read(&writer.abandon("no").unwrap()).unwrap_err();
        assert!(matches!(&error, ArchiveError::CutOff(part) if part == "groups/1"), "{error}");
    }

    #[test]
    fn lengths_that_are_damaged_take_no_memory() {
        let mut bytes = small();
        // The length of the content of the first part, after its name.
        let at = MAGIC.len() + 2 + 2 + "manifest.json".len();
        bytes[at..at + 8].fill(0xff);
        assert!(matches!(read(&bytes), Err(ArchiveError::CutOff(_))));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(parts in prop::collection::btree_map("[a-z/]{1,20}", prop::collection::vec(any::<u8>(), 0..600), 0..5)) {
            let listed: Vec<_> = parts.clone().into_iter().collect();
            prop_assert_eq!(read(&archive(&listed)).unwrap(), parts);
        }
    }

    #[test]
    fn parts_longer_than_what_is_copied_at_once_are_read_as_written() {
        let found = read(&archive(&parts())).unwrap();
        assert_eq!(found, parts().map(|(name, content)| (name.to_owned(), content)).into());
    }
}
