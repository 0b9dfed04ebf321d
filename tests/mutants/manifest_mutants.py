"""Seeded bugs of publications: edits unseen, prices believed, folders shared, losses left out."""

from __future__ import annotations

from mutant import Mutant
from places import MANIFEST, PLACE, SAME_BYTES, SERIES, VERIFY

_BYTES = f"{VERIFY}::test_a_changed_byte_anywhere_in_any_file_is_noticed"
_NUMBERS = f"{VERIFY}::test_a_number_that_does_not_fit_its_noise_is_noticed"
_FORGED = f"{VERIFY}::test_a_forged_plan_is_noticed_and_named"
_ALLOWED = f"{VERIFY}::test_a_table_that_its_plan_does_not_allow_is_noticed"

MANIFESTS = [
    Mutant(
        "a_wrong_hash_is_not_noticed",
        "pipelines/publication/verify.py",
        "if file_digest(found[name]) == sums[name]:",
        "if sums[name]:",
        (_BYTES,),
    ),
    Mutant(
        "a_file_that_nobody_wrote_is_not_noticed",
        "pipelines/publication/verify.py",
        "elif name not in sums:",
        "elif name not in sums and name in DOCUMENTS:",
        (f"{VERIFY}::test_another_file_is_noticed",),
    ),
    Mutant(
        "hashes_may_be_in_any_order",
        "pipelines/publication/checksums.py",
        "if text != sums_text(found):",
        "if not found:",
        (f"{VERIFY}::test_a_cut_or_longer_file_is_noticed",),
    ),
    Mutant(
        "the_manifest_is_believed",
        "pipelines/publication/verify.py",
        'lines = [f"{MANIFEST_FILE}: {line}" for line in mismatches(manifest, right, "manifest")]',
        "lines: list[str] = []",
        (f"{VERIFY}::test_every_value_of_the_manifest_that_follows_is_held_to",),
    ),
    Mutant(
        "the_record_is_believed",
        "pipelines/publication/verify.py",
        "if record != (folder / RECORD_FILE).read_bytes():",
        "if not record:",
        (f"{VERIFY}::test_documents_that_are_written_in_another_way_are_noticed",),
    ),
    Mutant(
        "true_is_one",
        "pipelines/publication/compare.py",
        "return isinstance(value, int | float) and not isinstance(value, bool)",
        "return isinstance(value, int | float)",
        (f"{VERIFY}::test_values_of_other_kinds_are_not_the_same",),
    ),
    Mutant(
        "prices_are_compared_roughly",
        "pipelines/publication/compare.py",
        "CLOSE = 1e-6",
        "CLOSE = 10",
        (f"{_FORGED}[a smaller price]",),
    ),
    Mutant(
        "a_price_above_the_budget_is_verified",
        "pipelines/publication/verify_plan.py",
        "if used > 1 + CLOSE:",
        "if used > 1e9:",
        (f"{_FORGED}[a budget that is not kept]",),
    ),
    Mutant(
        "the_price_is_believed",
        "pipelines/publication/verify_plan.py",
        'yield from mismatches(stated.values["price"], price_to_dict(cost), "plan.price")',
        "yield from ()",
        (f"{_FORGED}[a smaller price]",),
    ),
    Mutant(
        "sensitivities_are_believed",
        "pipelines/publication/verify_plan.py",
        "for name, moved, mechanism in _moved(table.plan):",
        "for name, moved, mechanism in ():",
        (f"{_FORGED}[a wider clip]",),
    ),
    Mutant(
        "the_partitions_of_a_selection_are_believed",
        "pipelines/publication/verify_plan.py",
        "if selection.l0 != l0:",
        "if selection.l0 < 1:",
        (f"{_FORGED}[a selection of fewer partitions]",),
    ),
    Mutant(
        "the_row_of_others_has_the_sensitivity_of_the_rest",
        "pipelines/publication/verify_plan.py",
        "((table.metrics, False), (table.other, True))",
        "((table.metrics, False), (table.other, False))",
        (f"{VERIFY}::test_a_publication_is_verified",),
    ),
    Mutant(
        "standard_deviations_are_believed",
        "pipelines/publication/verify_tables.py",
        "    if wrong.any():\n",
        "    if False:\n",
        (f"{_NUMBERS}[_std-uses]",),
    ),
    Mutant(
        "lower_ends_are_believed",
        "pipelines/publication/verify_tables.py",
        "beyond = (low - least).abs() > slack",
        "beyond = (low - least) > slack + half_width",
        (f"{_NUMBERS}[_low-users]",),
    ),
    Mutant(
        "rows_may_be_missing",
        "pipelines/publication/verify_tables.py",
        "if table.partitions is not None and not dropping and rows.height != table.partitions:",
        "if table.partitions is not None and rows.height > table.partitions:",
        (f"{_ALLOWED}[a row is gone]",),
    ),
    Mutant(
        "rows_may_be_in_any_order",
        "pipelines/publication/verify_tables.py",
        "if not rows.select(keys).equals(rows.select(keys).sort(keys)):",
        "if rows.width == 0:",
        (f"{_ALLOWED}[rows in another order]",),
    ),
    Mutant(
        "rows_may_be_there_twice",
        "pipelines/publication/verify_tables.py",
        "if rows.select(keys).is_duplicated().any():",
        "if rows.width == 0:",
        (f"{_ALLOWED}[a row is twice]",),
    ),
    Mutant(
        "nulls_are_not_noticed",
        "pipelines/publication/verify_tables.py",
        "if nulls and not _may_be_null(table, of):",
        "if nulls > found.height:",
        (f"{_ALLOWED}[a null]",),
    ),
    Mutant(
        "what_does_not_add_up_may_have_a_value",
        "pipelines/publication/verify_tables.py",
        "if not other[of.name].is_null().all():",
        "if other.width == 0:",
        (f"{_ALLOWED}[a value that does not add up]",),
    ),
    Mutant(
        "csv_need_not_be_the_table",
        "pipelines/publication/verify.py",
        "if FileDigest.of(file.file.name, written) != file.file:",
        "if not written:",
        (f"{VERIFY}::test_csv_that_is_not_the_parquet_table_is_noticed",),
    ),
    Mutant(
        "a_failed_verification_is_success",
        "pipelines/commands/shared.py",
        "NOT_VERIFIED = 3",
        "NOT_VERIFIED = 0",
        (f"{VERIFY}::test_the_command_exits_with_3_and_a_list",),
    ),
    Mutant(
        "two_publications_share_a_folder",
        "pipelines/publication/place.py",
        'building = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.building")\n'
        "        building.mkdir(mode=0o700)",
        'building = folder.with_name(f".{folder.name}.0.building")\n'
        "        building.mkdir(mode=0o700, exist_ok=True)",
        (f"{PLACE}::test_two_that_build_for_one_place_do_not_share_a_folder",),
    ),
    Mutant(
        "a_live_folder_is_removed",
        "pipelines/publication/place.py",
        "        os.close(handle)\n        return None\n    return handle",
        "        return handle\n    return handle",
        (f"{PLACE}::test_two_that_build_for_one_place_do_not_share_a_folder",),
    ),
    Mutant(
        "leftovers_stay",
        "pipelines/publication/place.py",
        "    if held is not None:\n        shutil.rmtree(leftover, ignore_errors=True)\n",
        "    if held is not None:\n",
        (
            f"{PLACE}::test_the_folder_of_a_live_process_is_left_alone_and_that_of_a_dead_one_is_"
            "removed",
        ),
    ),
    Mutant(
        "a_release_is_replaced_without_being_asked",
        "pipelines/publication/place.py",
        "if replace and folder.exists():",
        "if folder.exists():",
        (f"{PLACE}::test_what_is_there_stays_unless_it_may_be_replaced",),
    ),
    Mutant(
        "nobody_waits_for_the_lock",
        "pipelines/publication/place.py",
        "        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)\n    except Blocking",
        "        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)\n    except Blocking",
        (f"{PLACE}::test_a_lock_keeps_others_out",),
    ),
    Mutant(
        "parquet_files_hold_what_is_not_pinned",
        "pipelines/publication/table_files.py",
        "            row_group_size=ROW_GROUP,\n",
        "            metadata={'at': str(id(buffer))},\n",
        (f"{SAME_BYTES}::test_the_same_draw_is_published_in_the_same_bytes",),
    ),
    Mutant(
        "empty_keys_are_primary_keys",
        "pipelines/publication/datapackage.py",
        "return not frame.select(empty.any()).item()",
        "return True",
        (f"{MANIFEST}::test_empty_text_and_null_in_keys_do_not_make_a_package_invalid",),
    ),
    Mutant(
        "what_is_not_stated_is_left_out",
        "pipelines/publication/disclosure.py",
        'if source.startswith("about.")',
        'if source == "about"',
        (f"{MANIFEST}::test_what_the_publisher_does_not_say_is_called_not_stated",),
    ),
    Mutant(
        "delta_is_always_small",
        "pipelines/publication/points_of_guarantee.py",
        '"below" if privacy.delta < 1 / population else "NOT below"',
        '"below" if privacy.delta < 2 / population else "NOT below"',
        (f"{MANIFEST}::test_all_that_the_publisher_says_is_in_a_point_and_nothing_is_missing",),
    ),
    Mutant(
        "only_the_last_release_counts",
        "pipelines/publication/series_index.py",
        "for release in releases for loss in release.content.stated.losses",
        "for release in releases[-1:] for loss in release.content.stated.losses",
        (f"{SERIES}::test_losses_of_releases_add_up",),
    ),
    Mutant(
        "other_guarantees_count_together",
        "pipelines/publication/series_index.py",
        'return plan["dataset"], privacy.unit, privacy.adjacency, privacy.bounding',
        'return plan["dataset"], privacy.unit, privacy.bounding',
        (f"{SERIES}::test_only_releases_that_protect_the_same_count_together",),
    ),
    Mutant(
        "windows_that_touch_are_disjoint",
        "pipelines/publication/series_index.py",
        "before[1] < after[0]",
        "before[1] <= after[0]",
        (f"{SERIES}::test_windows_that_overlap_in_one_day_are_called_so",),
    ),
    Mutant(
        "somebody_elses_index_is_overwritten",
        "pipelines/publication/series_index.py",
        "if not is_free_for_index(folder):",
        "if not folder.exists():",
        (
            f"{SERIES}::test_somebody_elses_file_of_that_name_stays_and_a_run_is_refused_before_"
            "it_draws",
        ),
    ),
]
