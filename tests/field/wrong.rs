//! Files of another kind are told what they are.

use super::{idx, npy, refused, refuses, run, write_set};
use equilibria::checkpoint::Archive;
use equilibria::data::Reading;
use std::fs;

#[test]
fn a_wrong_file_is_told_what_it_is_and_only_a_sum_asks_for_another_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train-images-idx3-ubyte");
    let little = [&[3, 8, 0, 0][..], &[2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], &[0, 255]].concat();
    let mixed = [&[0, 0, 8, 3][..], &[2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], &[0, 255]].concat();
    for (bytes, words) in [
        (&b"<!DOCTYPE html><html>"[..], "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer"),
        (b"", "an empty file"),
        (b"label,pixel0\n1,2\n", "text"),
        (b"%PDF-1.5", "a PDF document"),
        (&little, "IDX of 3 dimensions in little-endian byte order"),
        (&mixed, "its dimensions are in little-endian byte order"),
        (&idx(8, &[2], &[1, 2]), "a file of labels"),
        (&idx(8, &[2, 1, 2], &[1, 2, 3]), "the file holds 3: the file is incomplete"),
        (&[7, 1, 2, 3, 4], "of an unknown format"),
    ] {
        fs::write(&path, bytes).unwrap();
        for source in [folder.path(), &path] {
            let text = refused(source, &Reading::default());
            assert!(
                text.contains(words) || (bytes.is_empty() && text.contains("the file is empty")),
                "{text}"
            );
            assert!(!text.contains("again"), "nothing shows that another copy would be better: {text}");
        }
    }
}

#[test]
fn only_the_tensors_that_are_needed_must_be_of_a_known_type() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [2, 2], [20, 6]);
    let header = |weight: &str, size: usize| {
        let end = size + 16 + 4;
        format!(
            "{{\"weight\":{{\"dtype\":\"{weight}\",\"shape\":[4,1],\"data_offsets\":[0,{size}]}},\
             \"visible_bias\":{{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[{size},{}]}},\
             \"hidden_bias\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[{},{end}]}},\
             \"mask\":{{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[{end},{}]}},\
             \"count\":{{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[{},{}]}}}}",
            size + 16,
            size + 16,
            end + 2,
            end + 2,
            end + 6,
        )
    };
    let file = |weight: &str, size: usize| {
        let header = header(weight, size);
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; size + 26]].concat()
    };
    fs::write(folder.path().join("bf16.safetensors"), file("BF16", 8)).unwrap();
    super::succeeds(folder.path(), "rbm evaluate bf16.safetensors -q --data d");
    // What is not understood is written as it was.
    let bytes = file("BF16", 8);
    let archive = Archive::from_bytes(&bytes, "a").unwrap();
    let again = Archive::from_bytes(&archive.to_bytes().unwrap(), "b").unwrap();
    assert_eq!(again.to_bytes().unwrap(), archive.to_bytes().unwrap());
    assert_eq!(again.shape("mask").unwrap(), [2]);
    assert_eq!(again.tensor_f32("weight", &[4, 1]).unwrap(), [0.0; 4]);
    fs::write(folder.path().join("i32.safetensors"), file("I32", 16)).unwrap();
    refuses(
        folder.path(),
        "rbm evaluate i32.safetensors -q --data d",
        "tensor `weight` is of I32, expected F32",
    );
    for (name, content, words) in [
        ("lfs", &b"version https://git-lfs.github.com/spec/v1\n"[..], "a Git LFS pointer"),
        ("torch", b"PK\x03\x04 and so on", "a zip archive, perhaps of torch.save"),
        ("empty", b"", "an empty file"),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
        refuses(folder.path(), &format!("rbm filters {name}"), words);
    }
}

#[test]
fn data_that_cannot_be_used_end_with_status_1_and_wrong_options_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_set(&at("d"), [4, 4], [30, 12]);
    write_set(&at("count"), [4, 4], [30, 12]);
    fs::write(at("count/train-labels-idx1-ubyte"), idx(8, &[29], &[1; 29])).unwrap();
    write_set(&at("short"), [4, 4], [30, 12]);
    fs::write(at("short/train-labels-idx1-ubyte"), idx(8, &[30], &[1; 5])).unwrap();
    write_set(&at("page"), [4, 4], [30, 12]);
    fs::write(at("page/train-images-idx3-ubyte"), "<!DOCTYPE html>").unwrap();
    write_set(&at("sizes"), [4, 4], [30, 12]);
    fs::write(at("sizes/t10k-images-idx3-ubyte"), idx(8, &[1, 2, 2], &[0, 1, 2, 255])).unwrap();
    fs::write(at("one.npy"), npy("|u1", "(1, 2, 2)", &[0, 1, 2, 255])).unwrap();
    for (name, text) in [
        ("good.csv", "0,0\n1,1\n"),
        ("line.csv", "0\n1\n"),
        ("word.csv", "0,0\n1,one\n"),
        ("ragged.csv", "0,0\n1\n"),
        ("negative.csv", "x,weight\n0,-1\n"),
        ("heavy.csv", "x,y,weight\n0,1,7\n"),
    ] {
        fs::write(at(name), text).unwrap();
    }
    fs::write(at("a.png"), b"\x89PNG\r\n\x1a\n damaged").unwrap();
    fs::write(at("model.safetensors"), "damaged").unwrap();
    let usages = ["transport distance good.csv good.csv --samples 0", "classifier train --data d --class x"];
    for (status, commands) in [
        (
            1,
            &[
                "classifier train -q --data count --out c",
                "classifier train -q --data short --out c",
                "rbm train -q --data page --out c",
                "rbm train -q --data sizes --out c",
                "rbm train -q --data one.npy --out c",
                "rbm train -q --data nothing --out c",
                "gan train -q --data count --class 1 --out c",
                "transport distance good.csv line.csv",
                "transport distance good.csv word.csv",
                "transport distance good.csv ragged.csv",
                "transport distance good.csv heavy.csv",
                "transport distance line.csv negative.csv",
                "transport colours a.png seaside",
                "rbm sample model.safetensors",
            ][..],
        ),
        (2, &usages),
    ] {
        for command in commands {
            let found = run(folder.path(), command);
            assert_eq!(found.status, Some(status), "{command}: {}", found.stderr);
        }
    }
}
