//! The four files of MNIST. [`Dataset::load_any`](super::Dataset::load_any) finds them and others in a folder.
//!
//! `fixtures/fetch-mnist FOLDER` downloads and checks them, and replaces no file. MD5 of the uncompressed content:
//!
//! | file | MD5 |
//! |---|---|
//! | `train-images-idx3-ubyte` | `6bbc9ace898e44ae57da46a324031adb` |
//! | `train-labels-idx1-ubyte` | `a25bea736e30d166cdddb491f175f624` |
//! | `t10k-images-idx3-ubyte` | `2646ac647ad5339dbf082846283269ea` |
//! | `t10k-labels-idx1-ubyte` | `27ae3e4e09519cfbb04c329615203637` |
//!
//! Other sets with the same file names (Fashion-MNIST, KMNIST) load too, so this module does not check the MD5 sums.
//!
//! **Source** LeCun, Bottou, Bengio & Haffner 1998.

/// The file names: training images, training labels, test images, test labels.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];
