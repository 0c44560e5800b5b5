//! The format of a backup's file: `magic schema part* end`, numbers big-endian. A part is the length of its name, the name, the length
//! of its content, the content, and its SHA-256. The end is an empty name, the number of parts, and the SHA-256 of everything before.

use sha2::{Digest, Sha256};
use std::io::{self, ErrorKind, Read, Write};

const MAGIC: [u8; 8] = *b"octoback";
/// The shape of the file that this build writes and reads.
const SCHEMA: u16 = 1;
/// The longest name of a part.
const MAX_NAME: u16 = 1_024;
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
}

/// Writes a backup, part by part.
pub(crate) struct ArchiveWriter<W> {
    out: W,
    whole: Sha256,
    parts: u32,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins a backup.
    pub(crate) fn new(out: W) -> io::Result<Self> {
        let mut writer = Self { out, whole: Sha256::new(), parts: 0 };
        writer.put(&MAGIC)?;
        writer.put(&SCHEMA.to_be_bytes())?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.whole.update(bytes);
        self.out.write_all(bytes)
    }

    /// Writes a part of `length` bytes, which `next` hands over piece by piece.
    pub(crate) fn part(
        &mut self,
        name: &str,
        length: u64,
        mut next: impl FnMut() -> io::Result<Option<Vec<u8>>>,
    ) -> io::Result<()> {
        let size = u16::try_from(name.len()).ok().filter(|size| (1..=MAX_NAME).contains(size));
        let size = size.ok_or_else(|| io::Error::other(format!("'{name}' is no name of a part")))?;
        self.put(&size.to_be_bytes())?;
        self.put(name.as_bytes())?;
        self.put(&length.to_be_bytes())?;
        let (mut checksum, mut left) = (Sha256::new(), length);
        while let Some(piece) = next()? {
            left = left.checked_sub(piece.len() as u64).ok_or_else(|| io::Error::other(format!("{name} has grown")))?;
            checksum.update(&piece);
            self.put(&piece)?;
        }
        if left > 0 {
            return Err(io::Error::other(format!("{name} has become shorter")));
        }
        self.parts += 1;
        self.put(&checksum.finalize())
    }

    /// Writes a part that is in memory.
    pub(crate) fn whole_part(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut pieces = content.chunks(CHUNK);
        self.part(name, content.len() as u64, || Ok(pieces.next().map(<[u8]>::to_vec)))
    }

    /// Writes a part that is what `source` has to its end.
    pub(crate) fn read_part(&mut self, name: &str, length: u64, source: &mut impl Read) -> io::Result<()> {
        self.part(name, length, || {
            let mut piece = vec![0; CHUNK];
            let read = source.read(&mut piece)?;
            piece.truncate(read);
            Ok((read > 0).then_some(piece))
        })
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
}

/// Reads a backup, part by part.
pub(crate) struct ArchiveReader<R> {
    from: R,
    whole: Sha256,
    parts: u32,
}

impl<R: Read> ArchiveReader<R> {
    /// Begins to read one.
    pub(crate) fn new(from: R) -> Result<Self, ArchiveError> {
        let mut reader = Self { from, whole: Sha256::new(), parts: 0 };
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

    /// The next part, whose content goes to where `place` says by its name; nothing at the end. What is in a place is good only once
    /// this has returned.
    pub(crate) fn next<W: Write>(
        &mut self,
        place: impl FnOnce(&str) -> io::Result<W>,
    ) -> Result<Option<String>, ArchiveError> {
        let size = u16::from_be_bytes(self.take("the name of a part")?);
        if size == 0 {
            return self.end().map(|()| None);
        }
        if size > MAX_NAME {
            return Err(ArchiveError::Damaged("the name of a part".to_owned()));
        }
        let mut name = vec![0; usize::from(size)];
        self.read(&mut name, "the name of a part")?;
        let name = String::from_utf8(name).map_err(|_| ArchiveError::Damaged("the name of a part".to_owned()))?;
        let mut left = u64::from_be_bytes(self.take(&name)?);
        let (mut checksum, mut piece) = (Sha256::new(), vec![0; CHUNK]);
        let mut out = place(&name)?;
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            self.read(&mut piece[..length], &name)?;
            checksum.update(&piece[..length]);
            out.write_all(&piece[..length])?;
            left -= length as u64;
        }
        let expected: [u8; 32] = self.take(&name)?;
        if expected != <[u8; 32]>::from(checksum.finalize()) {
            return Err(ArchiveError::Damaged(name));
        }
        out.flush()?;
        self.parts += 1;
        Ok(Some(name))
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let parts = u32::from_be_bytes(self.take("its end")?);
        let expected: [u8; 32] = self.whole.clone().finalize().into();
        let found: [u8; 32] = self.take("its end")?;
        if parts == self.parts && expected == found { Ok(()) } else { Err(ArchiveError::Damaged("its end".to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn archive(parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
        for (name, content) in parts {
            writer.read_part(name, content.len() as u64, &mut content.as_slice()).unwrap();
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

    #[test]
    fn what_is_written_is_read() {
        let found = read(&archive(&parts())).unwrap();
        assert_eq!(found, parts().map(|(name, content)| (name.to_owned(), content)).into());
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
        let mut later = whole;
        later[9] = 9;
        assert!(matches!(read(&later), Err(ArchiveError::Later(9))));
    }

    proptest! {
        /// Whatever byte is wrong, and wherever the file ends too early: it is never taken for whole.
        #[test]
        fn no_damaged_backup_passes(at in 0_usize..400, bit in 0_u8..8, cut in any::<bool>()) {
            let mut bytes = archive(&[("manifest.json", b"{}".to_vec()), ("groups/1", vec![7; 100])]);
            let at = at % bytes.len();
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
            prop_assert!(read(&bytes).is_err());
        }
    }
}
