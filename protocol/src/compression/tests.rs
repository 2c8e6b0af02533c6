use super::*;

fn text(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| ((index / 7) % 251) as u8 ^ (index / 1000) as u8)
        .collect()
}

#[test]
fn every_codec_gives_back_what_it_took() {
    for codec in CompressionType::ALL {
        for length in [0, 1, 100, 32 * 1024, 65 * 1024, 300_000] {
            let input = text(length);
            let compressed = compress(codec, None, &input).unwrap();
            match decompress(codec, &compressed, length) {
                Ok(output) => assert_eq!(output, input, "{codec} of {length} bytes"),
                // Java's decoder refuses an empty snappy stream only when not even the header is there.
                Err(error) => panic!("{codec} of {length} bytes: {error}"),
            }
        }
    }
}

#[test]
fn a_limit_is_kept_and_named() {
    let input = text(300_000);
    for codec in CompressionType::ALL {
        let compressed = compress(codec, None, &input).unwrap();
        let error = decompress(codec, &compressed, 299_999).unwrap_err();
        let CompressionError::Limit {
            compression_type,
            limit,
        } = error
        else {
            panic!("{codec}: {error}")
        };
        assert_eq!((compression_type, limit), (codec, 299_999));
    }
}

#[test]
fn content_that_ends_early_is_refused() {
    let input = text(100_000);
    for codec in [
        CompressionType::Gzip,
        CompressionType::Snappy,
        CompressionType::Lz4,
        CompressionType::Zstd,
    ] {
        let compressed = compress(codec, None, &input).unwrap();
        for length in [1, 5, compressed.len() / 2, compressed.len() - 1] {
            assert!(
                decompress(codec, &compressed[..length], 1 << 20).is_err(),
                "{codec} cut to {length}"
            );
        }
    }
}

#[test]
fn an_error_names_its_codec_once() {
    let input = text(100_000);
    for codec in CompressionType::ALL {
        let compressed = compress(codec, None, &input).unwrap();
        let mut said = std::collections::BTreeSet::new();
        for place in 0..compressed.len().min(200) {
            let mut broken = compressed.to_vec();
            broken[place] ^= 0xff;
            let cut = &compressed[..place];
            said.extend([&broken[..], cut].iter().filter_map(|content| {
                let refused = decompress(codec, content, 1 << 20).err()?;
                Some(refused.to_string())
            }));
        }
        assert_eq!(said.is_empty(), codec == CompressionType::None);
        for error in said {
            assert_eq!(error.matches(codec.name()).count(), 1, "{error}");
        }
    }
}

#[test]
fn raw_snappy_is_read() {
    let input = text(70_000);
    let raw = snap::raw::Encoder::new().compress_vec(&input).unwrap();
    assert_eq!(decompress(CompressionType::Snappy, &raw, 1 << 20).unwrap(), input);
}

#[test]
fn a_snappy_block_that_claims_too_much_allocates_nothing() {
    // A raw block whose length says 4 GiB − 1.
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
    let error = decompress(CompressionType::Snappy, &claim, usize::MAX).unwrap_err();
    assert!(matches!(error, CompressionError::Malformed { .. }), "{error}");
}

#[test]
fn members_and_frames_may_follow_one_another() {
    let (first, second) = (text(1000), text(5000));
    for codec in [CompressionType::Gzip, CompressionType::Snappy, CompressionType::Zstd] {
        let mut compressed = compress(codec, None, &first).unwrap().to_vec();
        compressed.extend_from_slice(&compress(codec, None, &second).unwrap());
        let output = decompress(codec, &compressed, 1 << 20).unwrap();
        assert_eq!(output, [&first[..], &second[..]].concat(), "{codec}");
    }
}

#[test]
fn garbage_behind_a_gzip_member_or_an_lz4_end_mark_is_ignored() {
    let input = text(1000);
    for codec in [CompressionType::Gzip, CompressionType::Lz4] {
        let mut compressed = compress(codec, None, &input).unwrap().to_vec();
        compressed.extend_from_slice(b"something else");
        assert_eq!(decompress(codec, &compressed, 1 << 20).unwrap(), input, "{codec}");
    }
}

#[test]
fn levels_are_those_of_kip_390() {
    let input = text(10_000);
    for codec in CompressionType::ALL {
        for level in [-131_073, -131_072, -2, -1, 0, 1, 9, 10, 17, 18, 22, 23] {
            let result = compress(codec, Some(level), &input);
            assert_eq!(result.is_ok(), codec.has_level(level), "{codec} at level {level}");
            if let Ok(compressed) = result {
                assert_eq!(
                    decompress(codec, &compressed, 1 << 20).unwrap(),
                    input,
                    "{codec} at level {level}"
                );
            }
        }
    }
}

#[test]
fn names_and_numbers_lead_back() {
    for codec in CompressionType::ALL {
        assert_eq!(CompressionType::from_id(codec.id()).unwrap(), codec);
        assert_eq!(codec.name().parse::<CompressionType>().unwrap(), codec);
    }
    assert!(CompressionType::from_id(5).is_err());
    assert!("producer".parse::<CompressionType>().is_err());
}
