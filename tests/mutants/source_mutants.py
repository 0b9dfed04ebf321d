"""Seeded bugs of sources: folders, files that changed, members, BigQuery."""

from __future__ import annotations

from mutant import Mutant
from places import AVRO, BIGQUERY, DRIFT, FOLDERS, MEMBERS

SOURCES = [
    Mutant(
        "all_files_have_the_folders_of_the_first",
        "pipelines/sources/read_rows.py",
        "beam.Create([(f.path, f.size, f.folders) for f in self.files])",
        "beam.Create([(f.path, f.size, self.files[0].folders) for f in self.files])",
        (f"{FOLDERS}::test_a_release_by_folder_counts_the_rows_of_each",),
    ),
    Mutant(
        "folder_names_are_not_decoded",
        "pipelines/spec/partition_folders.py",
        "return None if text in _NULLS else unquote(text)",
        "return None if text in _NULLS else text",
        (f"{FOLDERS}::test_a_path_gives_the_values",),
    ),
    Mutant(
        "the_default_partition_is_a_value",
        "pipelines/spec/partition_folders.py",
        '_NULLS = ("", "__HIVE_DEFAULT_PARTITION__")',
        '_NULLS = ("",)',
        (f"{FOLDERS}::test_a_path_gives_the_values",),
    ),
    Mutant(
        "the_column_of_the_file_hides_the_folder",
        "pipelines/sources/read_rows.py",
        "given = {name: text for name, text in task.folders if name in source.folders}",
        "given = {name: text for name, text in task.folders if name in source.types}",
        (f"{FOLDERS}::test_the_folder_wins_over_a_column_of_the_same_name",),
    ),
    Mutant(
        "a_missing_column_is_silently_null",
        "pipelines/sources/read_rows.py",
        "    if name in source.optional:\n",
        "    if True:\n",
        (f"{DRIFT}::test_a_parquet_file_that_changed_is_an_error_without_its_values",),
    ),
    Mutant(
        "every_column_may_be_missing",
        "pipelines/sources/check.py",
        "            if column not in optional:\n",
        "            if False:\n",
        (f"{DRIFT}::test_without_that_word_it_is_refused",),
    ),
    Mutant(
        "columns_keep_the_type_of_their_file",
        "pipelines/sources/one_schema.py",
        "    if found == dtype:\n",
        "    if True:\n",
        (f"{DRIFT}::test_columns_that_go_together_are_read_as_one_type",),
    ),
    Mutant(
        "a_parquet_file_that_shrank_is_read_in_part",
        "pipelines/sources/read_rows.py",
        "    if table.num_rows != end - first:\n",
        "    if False:\n",
        (f"{DRIFT}::test_a_parquet_file_that_changed_is_an_error_without_its_values",),
    ),
    Mutant(
        "an_avro_file_that_is_cut_off_is_read_in_part",
        "pipelines/sources/avro.py",
        'if file.read(_MARKER_BYTES) != header["sync"]:',
        'if len(file.read(_MARKER_BYTES)) != len(header["sync"]):',
        (f"{AVRO}::test_a_file_that_is_cut_off_is_refused_and_not_read_in_part",),
    ),
    Mutant(
        "rows_before_dirty_avro_text_are_read_twice",
        "pipelines/sources/avro.py",
        "remaining = islice(rows, start, None)",
        "remaining = islice(rows, 0, None)",
        (f"{AVRO}::test_text_that_is_not_utf_8_is_replaced_and_no_row_is_lost_or_twice",),
    ),
    Mutant(
        "misspelt_members_are_null",
        "pipelines/spec/release_spec.py",
        'if self.input.file_format != "jsonl":',
        "if self.input.file_format:",
        (f"{MEMBERS}::test_a_misspelt_member_is_refused_with_the_closest_one",),
    ),
    Mutant(
        "bigquery_reads_all_rows",
        "pipelines/sources/bigquery.py",
        "row_restriction=source.row_restriction,",
        "row_restriction=None,",
        (f"{BIGQUERY}::test_the_connector_is_asked_for_columns_and_rows",),
    ),
]
