"""Tests that need the weights of the reference suites, which an sdist leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SHIPPED = (TESTS.parent / "suites/translation/models").is_dir()
"""Whether the weights are here: in a clone of the repository they are."""
REASON = "needs the weights in suites/, which only a clone of the repository has"

NEEDED_BY: dict[str, frozenset[str]] = {
    "backends/test_ctranslate2_vmap.py": frozenset(),
    "backends/test_decoding.py": frozenset(
        {
            "test_ctranslate2_follows_settings_as_torch_does",
            "test_the_beams_of_ctranslate2_follow_the_length_penalty",
            "test_beams_of_ctranslate2_normalise_after_suppressing_tokens",
            "test_a_shipped_model_decodes_with_what_the_task_asks",
            "test_int8_keeps_the_settings_of_the_model",
            "test_the_graph_names_the_settings_that_it_implements",
        }
    ),
    "backends/test_seq2seq_beams.py": frozenset(
        {
            "test_shipped_model_translates_with_beams_like_transformers",
            "test_runner_reports_the_beams_of_its_artifact",
        }
    ),
    "backends/test_translation_variants.py": frozenset(),
    "cli/test_init.py": frozenset(
        {
            "test_columns_are_found_by_name_and_by_content",
            "test_a_folder_of_sentence_transformers_gets_embeddings",
            "test_a_tagger_gets_sentences_and_tags",
        }
    ),
    "examples/test_models.py": frozenset({"test_csv_classifier"}),
    "recipes/test_recipes.py": frozenset(
        {
            "test_vision",
            "test_speech",
            "test_speech_quantised",
            "test_translation",
            "test_translation_reversed",
            "test_rnn",
            "test_shortlist",
            "test_the_shipped_weights_match_their_hashes_and_cards",
            "test_differences_are_named",
        }
    ),
    "suites/test_planted_generation.py": frozenset(),
    "suites/test_planted_mistakes.py": frozenset(),
    "suites/test_shipped_models.py": frozenset(),
    "tasks/test_classification.py": frozenset(),
    "tasks/test_embedding.py": frozenset(),
    "tasks/test_regression.py": frozenset(),
    "tasks/test_retrieval.py": frozenset(
        {
            "test_queries_and_documents_have_one_codec_and_lengths_can_be_swept",
        }
    ),
    "tasks/test_text_to_text.py": frozenset(
        {
            "test_the_target_language_is_the_first_token",
            "test_another_runtime_begins_with_the_target_language",
            "test_a_language_that_is_not_known_is_named",
        }
    ),
    "tasks/test_tokens.py": frozenset(
        {
            "test_a_word_has_the_tag_of_its_first_token_as_in_transformers",
            "test_words_without_a_token_are_outside",
            "test_a_sentence_with_a_logit_that_is_not_finite_has_no_tags",
            "test_a_chosen_length_is_exact",
            "test_tags_are_compared_with_the_models_labels",
        }
    ),
    "tasks/test_translation.py": frozenset(
        {
            "test_every_source_sentence_is_encoded_alike",
            "test_every_reference_is_decoded_alike",
            "test_odd_text_is_encoded_alike_up_to_the_length_limit",
            "test_special_tokens_and_unknown_ids_are_not_decoded",
        }
    ),
    "tasks/test_vision.py": frozenset(
        {
            "test_the_shipped_suite_has_the_samples_and_features_it_always_had",
        }
    ),
    "test_docs.py": frozenset(
        {
            "test_the_graph_of_the_docs_runs",
        }
    ),
}
"""The functions of each file that need weights; none are named where all do."""


def skip_without_weights(items: list[pytest.Item]) -> None:
    """Skip the tests that need weights if the weights are not here."""
    if SHIPPED:
        return
    for item in items:
        names = NEEDED_BY.get(item.path.relative_to(TESTS).as_posix())
        if names is not None and (not names or getattr(item, "originalname", "") in names):
            item.add_marker(pytest.mark.skip(reason=REASON))
