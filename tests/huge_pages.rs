//! With the feature, new large arrays are on memory for which the kernel was asked for huge pages.
#![cfg(all(feature = "huge-pages", target_os = "linux"))]

use std::fs::{exists, read_to_string};

use ndarray::{Array2, ArrayRef2, Axis};
use ndarray_activations::prelude::*;

/// The flags of the mapping that an address is in, as the kernel lists them.
fn flags_at(address: usize) -> Vec<String> {
    let mut inside = false;
    for line in read_to_string("/proc/self/smaps").expect("Linux lists mappings").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some((from, to)) = words[0].split_once('-') {
            let [from, to] =
                [from, to].map(|end| usize::from_str_radix(end, 16).expect("an address"));
            inside = (from..to).contains(&address);
        } else if inside && words[0] == "VmFlags:" {
            return words[1..].iter().map(|flag| flag.to_string()).collect();
        }
    }
    panic!("no mapping has the address {address:x}");
}

fn is_advised(y: &ArrayRef2<f32>) -> bool {
    let middle = y.as_slice_memory_order().expect("a new array")[y.len() / 2..].as_ptr();
    flags_at(middle as usize).iter().any(|flag| flag == "hg")
}

#[test]
fn huge_pages_are_asked_for_where_a_new_array_is_large() {
    if !exists("/sys/kernel/mm/transparent_hugepage").unwrap_or(false) {
        return eprintln!("not tested: this kernel has no transparent huge pages");
    }
    let large = Array2::from_elem((8192, 1024), 1.0f32);
    assert!(is_advised(&large.relu()), "element-wise");
    assert!(is_advised(&Array2::from_elem((1024, 1024), 1.0f32).relu()), "4 MiB");
    assert!(is_advised(&large.sigmoid()), "element-wise");
    assert!(is_advised(&large.t().sigmoid()), "in the order of columns");
    assert!(is_advised(&large.softmax(Axis(1))), "along an axis");
    assert!(!is_advised(&Array2::from_elem((8, 1024), 1.0f32).relu()), "32 KiB are small");
}
