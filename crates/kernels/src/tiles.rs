//! Divides a matrix product into tiles. A tile covers a few rows and a few groups of outputs. The sums of a tile stay
//! in registers during the loop over the inputs, so each size of tile is compiled separately.

/// Computes every tile of a product. Rows are split evenly into tiles that fit into the registers, so that no tile has
/// a single row if the product has several rows. This is a macro, because a closure would not be compiled for the
/// instruction set of its caller.
macro_rules! for_tiles {
    ($product:ident, $set:ident, $simd:ident, $rows:expr, $groups:expr) => {{
        let (rows, groups) = ($rows, $groups);
        let mut group = 0;
        while group < groups {
            let left = groups - group;
            let (wide, most) = match left {
                _ if !$set::MANY_REGISTERS => (1, 4),
                4.. => (4, 6),
                2.. => (2, 12),
                _ => (1, 12),
            };
            let tiles = rows.div_ceil(most).max(1);
            let (least, larger) = (rows / tiles, rows % tiles);
            let mut row = 0;
            for tile in 0..tiles {
                let tall = least + usize::from(tile < larger);
                pick!($product, $set, $simd, (row, group), (tall, wide); 1 2 3 4 5 6; 7 8 9 10 11 12);
                row += tall;
            }
            group += wide;
        }
    }};
}

/// Calls the function that is compiled for a tile of these sizes.
macro_rules! pick {
    ($product:ident, $set:ident, $simd:ident, $at:expr, $size:expr; $($low:literal)+; $($high:literal)+) => {
        match $size {
            $(($low, 4) => $product.tile::<$set, $low, 4>($simd, $at),)+
            $(($low, 2) => $product.tile::<$set, $low, 2>($simd, $at),)+
            $(($high, 2) => $product.tile::<$set, $high, 2>($simd, $at),)+
            $(($low, 1) => $product.tile::<$set, $low, 1>($simd, $at),)+
            $(($high, 1) => $product.tile::<$set, $high, 1>($simd, $at),)+
            (0, _) => {}
            (tall, wide) => unreachable!("no tile of {tall} rows and {wide} groups"),
        }
    };
}

/// Repeats a block for each row of a tile. If the compiler did not unroll a loop, the sums would be indexed by a
/// variable and would not stay in registers.
macro_rules! each_row {
    ($row:ident of $rows:ident $block:block) => { each_row!($row of $rows $block; 0 1 2 3 4 5 6 7 8 9 10 11) };
    ($row:ident of $rows:ident $block:block; $($place:literal)+) => {$(
        if $place < $rows {
            let $row = $place;
            $block
        }
    )+};
}

pub(crate) use {each_row, for_tiles, pick};
