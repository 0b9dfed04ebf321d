"""Seeded bugs of blocks on the disk: wrong ones, ones that stay, ones that others can read."""

from __future__ import annotations

from mutant import Mutant
from places import ONCE

BLOCKS = "tests/engine/test_blocks.py"
LOCAL_BLOCKS = "tests/once/test_local_blocks.py"

BLOCKS_ON_DISK = [
    Mutant(
        "every_block_is_the_first_of_its_file",
        "transforms/blocks.py",
        "            file.seek(start)\n",
        "",
        (f"{BLOCKS}::test_blocks_are_read_as_they_were_written_in_any_order",),
    ),
    Mutant(
        "a_block_that_was_cut_off_is_taken",
        "transforms/blocks.py",
        "if len(block) < size:",
        "if False:",
        (f"{BLOCKS}::test_a_block_that_is_not_all_there_is_an_error",),
    ),
    Mutant(
        "blocks_are_not_written_out_at_the_end_of_a_bundle",
        "transforms/dofns.py",
        "            self._file.close()",
        "            self._kept = self._file",
        (f"{BLOCKS}::test_tables_before_noise_are_the_same_in_memory_and_in_files",),
    ),
    Mutant(
        "others_can_look_into_the_folder_of_blocks",
        "pipelines/run/local_blocks.py",
        "blocks.mkdir(mode=0o700)",
        "blocks.mkdir(mode=0o755)",
        (f"{LOCAL_BLOCKS}::test_blocks_are_left_to_runners_that_are_not_local",),
    ),
    Mutant(
        "blocks_outlive_the_draw",
        "pipelines/run/local_blocks.py",
        "            shutil.rmtree(blocks, ignore_errors=True)\n",
        "            pass\n",
        (f"{LOCAL_BLOCKS}::test_no_block_is_left_by_a_run_that_leaves_publication_to_another",),
    ),
    Mutant(
        "drawn_values_outlive_a_draw_that_fails",
        "pipelines/run/steps.py",
        "            staging.end(attempt)\n            staging.drop_shards(attempt)\n",
        "            staging.end(attempt)\n",
        (f"{ONCE}::test_what_workers_wrote_is_not_kept",),
    ),
    Mutant(
        "what_workers_wrote_outlives_the_draw",
        "pipelines/run/steps.py",
        "        self.staging.drop_shards(attempt)\n",
        "",
        (f"{ONCE}::test_what_workers_wrote_is_not_kept",),
    ),
    Mutant(
        "workers_on_other_machines_get_a_folder_of_this_one",
        "pipelines/run/local_blocks.py",
        "return is_local(options) and input_bytes",
        "return input_bytes",
        (f"{LOCAL_BLOCKS}::test_blocks_are_left_to_runners_that_are_not_local",),
    ),
    Mutant(
        "a_disk_that_is_too_small_is_noticed_when_it_is_full",
        "pipelines/run/exactly_once.py",
        "        steps.check_disk(options)\n",
        "",
        (f"{LOCAL_BLOCKS}::test_a_disk_that_is_too_small_is_refused_before_anything_is_charged",),
    ),
    Mutant(
        "a_full_disk_is_a_failure_like_others",
        "pipelines/run/local_blocks.py",
        "if os.strerror(errno.ENOSPC) not in str(error):",
        "if True:",
        (f"{LOCAL_BLOCKS}::test_a_disk_that_becomes_full_is_said_and_a_rerun_mends_it",),
    ),
]
