//! A directory that a test can have fail, stop and crash.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};

use tantivy::Directory;
use tantivy::directory::error::{DeleteError, OpenReadError, OpenWriteError};
use tantivy::directory::{FileHandle, RamDirectory, WatchCallback, WatchHandle, WritePtr};

/// What stays over restarts: clones have the same files.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    files: RamDirectory,
    process: Arc<Process>,
}

/// What all clones of one process share.
#[derive(Default)]
struct Process {
    /// How many operations still succeed before one fails; then all succeed again.
    left: Mutex<Option<usize>>,
    /// All operations fail.
    is_dead: AtomicBool,
    commits: AtomicUsize,
    held: Mutex<bool>,
    released: Condvar,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").finish_non_exhaustive()
    }
}

impl Disk {
    /// One operation fails after so many that succeed.
    pub(super) fn fail_after(&self, operations: usize) {
        *self.process.left.lock().unwrap() = Some(operations);
    }

    /// From now on the process writes nothing, as if it had been killed; the files for the next process are returned.
    pub(super) fn crash(&self) -> Self {
        self.process.is_dead.store(true, SeqCst);
        // A lock is a file here, and the operating system frees those of a process that ends.
        for lock in [".tantivy-writer.lock", ".tantivy-meta.lock"] {
            _ = self.files.delete(Path::new(lock));
        }
        Self { files: self.files.clone(), process: Arc::default() }
    }

    pub(super) fn commits(&self) -> usize {
        self.process.commits.load(SeqCst)
    }

    /// Commits wait until they are released.
    pub(super) fn hold_commits(&self) {
        *self.process.held.lock().unwrap() = true;
    }

    pub(super) fn release_commits(&self) {
        *self.process.held.lock().unwrap() = false;
        self.process.released.notify_all();
    }

    fn operation(&self) -> io::Result<()> {
        if self.process.is_dead.load(SeqCst) {
            return Err(io::Error::other("the process was killed"));
        }
        let mut left = self.process.left.lock().unwrap();
        match *left {
            Some(0) => {
                *left = None;
                Err(io::Error::other("the disk fails"))
            }
            Some(operations) => {
                *left = Some(operations - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Directory for Disk {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.files.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        if self.process.is_dead.load(SeqCst) {
            return Ok(());
        }
        self.files.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.operation().map_err(|error| OpenWriteError::wrap_io_error(error, path.to_owned()))?;
        self.files.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.files.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        if path == Path::new("meta.json") {
            let mut held = self.process.held.lock().unwrap();
            while *held {
                held = self.process.released.wait(held).unwrap();
            }
            drop(held);
            self.operation()?;
            self.process.commits.fetch_add(1, SeqCst);
        } else {
            self.operation()?;
        }
        self.files.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.operation()?;
        self.files.sync_directory()
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.files.watch(callback)
    }
}
