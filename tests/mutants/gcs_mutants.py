"""Seeded bugs of releases in a bucket: half releases, second draws, lost preconditions."""

from __future__ import annotations

from mutant import Mutant
from places import (
    GCS_FOLDER,
    GCS_OUTLET,
    GCS_PAGES,
    GCS_PLANS,
    GCS_RUNS,
    GCS_STORAGE,
    GCS_TWO,
)

ON_GCS = [
    Mutant(
        "the_pointer_is_switched_before_the_contents_are_there",
        "pipelines/run/gcs_outlet.py",
        """        upload(publication, self.folder.child(digest))
        files = tuple(sorted(path.name for path in publication.iterdir()))
        self._point(Pointer(key.series, key.period, key.version, digest, files))
""",
        """        files = tuple(sorted(path.name for path in publication.iterdir()))
        self._point(Pointer(key.series, key.period, key.version, digest, files))
        upload(publication, self.folder.child(digest))
""",
        (f"{GCS_OUTLET}::test_contents_are_there_before_the_pointer[small-gcs]",),
    ),
    Mutant(
        "an_object_is_written_without_its_precondition",
        "pipelines/storage/gcs.py",
        "if_generation_match=generation,\n",
        "if_generation_match=None,\n",
        (f"{GCS_FOLDER}::test_a_swap_needs_the_generation_that_was_read[small-gcs]",),
    ),
    Mutant(
        "what_somebody_wrote_since_the_look_is_written_over",
        "pipelines/storage/gcs.py",
        "            if content == found or self.swap(name, content, generation):\n",
        "            _, generation = self.read_with_generation(name) or (None, 0)\n"
        "            if content == found or self.swap(name, content, generation):\n",
        (
            f"{GCS_OUTLET}::"
            "test_a_run_that_is_overtaken_between_look_and_swap_looks_again[small-gcs]",
            f"{GCS_OUTLET}::test_an_index_that_is_overtaken_has_all_releases[small-gcs]",
            f"{GCS_PAGES}::"
            "test_of_two_that_write_at_once_the_page_has_the_releases_of_both[small-gcs]",
        ),
    ),
    Mutant(
        "a_withdrawn_version_comes_back",
        "pipelines/run/gcs_outlet.py",
        "return same and found.version > wanted.version",
        "return False",
        (f"{GCS_OUTLET}::test_a_later_version_stays[small-gcs]",),
    ),
    Mutant(
        "a_lost_answer_is_taken_for_a_lost_race",
        "pipelines/storage/gcs.py",
        "        return self.read(name) == content\n",
        "        return False\n",
        (f"{GCS_FOLDER}::test_a_swap_to_what_is_there_already_is_done[small-gcs]",),
    ),
    Mutant(
        "a_lost_race_to_create_is_no_matter",
        "pipelines/storage/gcs.py",
        "        if self.swap(name, content, 0):\n            return content\n",
        "        self.swap(name, content, 0)\n        return content\n",
        (f"{GCS_TWO}::test_both_have_the_same_secret[small-gcs]",),
    ),
    Mutant(
        "a_set_counts_before_its_files_are_there",
        "pipelines/storage/gcs_storage.py",
        """            upload(folder, self.folder.child(name).child(digest))
            self.folder.child(name).create(f"{digest}{_FROZEN}", sums)
""",
        """            self.folder.child(name).create(f"{digest}{_FROZEN}", sums)
            upload(folder, self.folder.child(name).child(digest))
""",
        (f"{GCS_STORAGE}::test_an_object_in_the_way_is_not_taken_for_a_file_of_the_set",),
    ),
    Mutant(
        "an_object_in_the_way_is_published",
        "pipelines/storage/gcs_storage.py",
        "if target.create(name, content) != content:",
        "if target.create(name, content) is None:",
        (f"{GCS_OUTLET}::test_an_object_with_other_bytes_is_not_published[small-gcs]",),
    ),
    Mutant(
        "changed_values_in_a_bucket_are_published",
        "pipelines/storage/gcs_storage.py",
        "if folder_digest(folder) != digest:",
        "if False:",
        (f"{GCS_RUNS}::test_draws_that_were_changed_are_not_published[small-gcs]",),
    ),
    Mutant(
        "an_attempt_is_emptied_before_it_is_replaced",
        "pipelines/run/staging.py",
        """        if not self.storage.is_shared:
            for name in ("shards",""",
        """        if True:
            for name in ("shards",""",
        (
            f"{GCS_TWO}::"
            "test_nothing_of_an_attempt_is_deleted_before_the_ledger_names_another[small-gcs]",
        ),
    ),
    Mutant(
        "a_lost_race_to_draw_deletes_the_attempt_of_the_winner",
        "pipelines/run/staging.py",
        "        if not self.storage.is_shared:\n            self.remove(attempt)\n",
        "        self.remove(attempt)\n",
        (f"{GCS_TWO}::test_of_two_that_are_about_to_draw_one_does[small-gcs-begin]",),
    ),
    Mutant(
        "what_was_voided_takes_the_next_reservation_with_it",
        "pipelines/run/staging.py",
        """        if self.storage.is_shared:
            self.storage.remove(f"{self.release}/hash-key-{reservation}")
        else:
            self.clear()
""",
        "        self.clear()\n",
        (
            f"{GCS_TWO}::"
            "test_a_release_that_is_reserved_again_while_it_is_voided_loses_nothing[small-gcs]",
        ),
    ),
    Mutant(
        "any_attempt_is_replaced_where_one_is_named",
        "pipelines/run/steps.py",
        "return can_be and attempt == replaces",
        "return can_be and replaces is not None",
        (f"{GCS_TWO}::test_only_the_attempt_that_is_named_is_replaced[small-gcs]",),
    ),
    Mutant(
        "the_second_run_takes_over_from_one_that_is_alive",
        "pipelines/run/staging.py",
        'return self.storage.has(self._of(attempt, "ended"))',
        "return True",
        (f"{GCS_TWO}::test_the_second_is_told_while_the_first_draws[small-gcs]",),
    ),
    Mutant(
        "an_edited_publication_in_a_bucket_is_verified",
        "pipelines/publication/verify_place.py",
        "    if release_digest(folder) != pointer.digest:\n",
        "    if False:\n",
        (f"{GCS_OUTLET}::test_verify_finds_what_was_changed_by_hand[emptied]",),
    ),
    Mutant(
        "the_index_page_is_written_over_somebody_elses",
        "pipelines/report/files.py",
        "    if page is not None and GENERATOR.encode() not in page:\n",
        "    if False:\n",
        (f"{GCS_PAGES}::test_somebody_elses_page_stays[small-gcs]",),
    ),
    Mutant(
        "the_index_page_in_a_bucket_adds_up_what_does_not_add_up",
        "pipelines/report/gcs_pages.py",
        "        list_releases(folder, [] if told is None else withdrawn_in(told))\n",
        "",
        (
            f"{GCS_PAGES}::"
            "test_the_page_is_that_of_folders_but_for_what_its_links_lead_to[small-gcs]",
        ),
    ),
    Mutant(
        "the_index_page_in_a_bucket_links_to_what_is_not_there",
        "pipelines/report/gcs_releases.py",
        "f'{pointer.digest}/{REPORT_FILE}' if has_report",
        "f'{REPORT_FILE}' if has_report",
        (f"{GCS_PAGES}::test_what_its_links_lead_to_is_there[small-gcs]",),
    ),
    Mutant(
        "a_published_release_in_a_bucket_gets_a_report_that_it_did_not_have",
        "pipelines/report/gcs_pages.py",
        "        check_listed(page, folder / SUMS_FILE, folder)\n",
        "",
        (f"{GCS_PAGES}::test_a_page_that_other_versions_make_goes_elsewhere",),
    ),
    Mutant(
        "a_bucket_writes_files_anywhere_on_this_machine",
        "pipelines/storage/gcs_storage.py",
        "        if not is_file_name(name):\n",
        "        if False:\n",
        (f"{GCS_PAGES}::test_names_that_lead_out_of_a_folder_are_not_downloaded",),
    ),
    Mutant(
        "the_folders_of_a_bucket_lead_out_of_the_one_here",
        "pipelines/storage/gcs.py",
        "            return sorted(name for name in names if is_file_name(name))\n",
        "            return sorted(names)\n",
        (f"{GCS_PAGES}::test_names_that_lead_out_of_a_folder_are_not_downloaded",),
    ),
    Mutant(
        "a_broken_release_before_hides_those_before_it",
        "pipelines/report/series.py",
        "                continue\n",
        "                return None\n",
        (f"{GCS_PAGES}::test_a_release_is_compared_with_the_last_one_before_it_that_can_be_read",),
    ),
    Mutant(
        "a_plan_is_compared_with_the_first_release_in_the_bucket",
        "pipelines/plan/compared.py",
        "for name in sorted(names, reverse=True)",
        "for name in sorted(names)",
        (f"{GCS_PLANS}::test_it_is_compared_with_the_last_release_that_there_is",),
    ),
]
