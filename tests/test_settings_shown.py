"""Each setting of SRS that has an effect is shown acting by a test, which stands here by its name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from model.fields import every_setting
from model.settings import BASE

from fastflv.config.diff import DIRECTIVES
from fastflv.config.grammar.schema import EXTENSIONS
from fastflv.config.load import load_text
from fastflv.config.unused import unused
from fastflv.control.runtime import compile_runtime

TESTS = Path(__file__).parent

SHOWN = {
    # By file and name: the settings that it shows.
    "flows/test_flow_reload_listeners.py another_certificate_is_given": "rtmps.listen rtmps.key rtmps.cert http_server.https.key http_server.https.cert http_server.https.enabled http_server.https.listen",
    "flows/test_flow_command.py a_port_in_use_is_one_line": "listen http_server.enabled http_server.listen http_api.enabled http_api.listen",
    "flows/test_flow_https.py the_api_answers_over_tls": "http_api.https.enabled http_api.https.listen http_api.https.key http_api.https.cert",
    "flows/test_flow_command.py too_many_connections": "max_connections",
    "flows/test_flow_codecs.py any_chunk_size": "chunk_size vhost.chunk_size",
    "flows/test_flow_background.py the_parent_waits": "pid daemon srs_log_tank srs_log_file",
    "flows/test_flow_background.py in_docker_off": "in_docker",
    "flows/test_flow_reload_watch.py relative_paths_of_the_files": "work_dir inotify_auto_reload",
    "flows/test_flow_reload.py the_log_level_changes": "srs_log_level",
    "flows/test_flow_quit.py a_configured_server_id": "server_id",
    "test_hls.py the_configuration_says_what_hls_is": "utc_time vhost.hls.hls_td_ratio vhost.hls.hls_aof_ratio vhost.hls.hls_ts_floor",
    "flows/test_flow_quit.py a_server_that_runs_as_a_process": "asprocess",
    "test_listener.py a_peer_without_an_address": "empty_ip_ok",
    "flows/test_flow_quit.py a_graceful_quit_closes": "grace_start_wait grace_final_wait force_grace_quit",
    "test_reload.py files_are_watched_in_a_container": "auto_reload_for_docker",
    "flows/test_flow_files.py a_host_has_its_own_files": "http_server.dir vhost.http_static.enabled vhost.http_static.mount vhost.http_static.dir",
    "flows/test_flow_reload_access.py crossdomain_is_switched": "http_server.crossdomain http_api.crossdomain",
    "flows/test_flow_reload_access.py the_api_asks_for_a_password": "http_api.auth.enabled http_api.auth.username http_api.auth.password",
    "test_api_answers.py raw_": "http_api.raw_api.enabled http_api.raw_api.allow_reload",
    "flows/test_flow_caster.py a_reload_opens_moves": "stream_caster",
    "test_machine.py the_summary_follows_stats": "stats.enabled stats.disk",
    "test_api.py summaries_report_the_interface": "stats.network",
    "flows/test_flow_heartbeat.py a_registry_is_told": "heartbeat.enabled heartbeat.interval heartbeat.url heartbeat.device_id heartbeat.summaries heartbeat.ports",
    "test_metrics.py the_exporter_has_a_port": "exporter.enabled exporter.listen exporter.label exporter.tag",
    "flows/test_flow_reload.py a_vhost_comes_and_goes": "vhost.enabled",
    "test_session_owner.py our_own_window": "vhost.in_ack_size",
    "flows/test_flow_reload_streams.py the_gop_cache": "vhost.play.gop_cache",
    "test_medialog.py a_log_without_readers_is_the_end": "vhost.play.gop_cache_max_frames",
    "test_stream.py the_jitter_setting": "vhost.play.atc vhost.play.time_jitter",
    "test_stream_atc.py a_reload_switches_it": "vhost.play.atc_auto",
    "flows/test_flow_interleave.py late_sound": "vhost.play.mix_correct",
    "flows/test_flow_reload_command.py the_command_reloads": "vhost.play.mw_latency",
    "test_streamwriter_headers.py a_repeated_header": "vhost.play.reduce_sequence_header",
    "flows/test_flow_life.py a_publisher_without_media": "vhost.publish.firstpkt_timeout",
    "flows/test_flow_life.py a_silent_publisher": "vhost.publish.normal_timeout",
    "test_api.py a_picture_is_described": "vhost.publish.parse_sps",
    "test_idle.py a_publisher_that_nobody_plays": "vhost.publish.kickoff_for_idle",
    "flows/test_flow_reload.py a_mount_comes": "vhost.http_remux.enabled vhost.http_remux.mount",
    "flows/test_flow_choices.py the_head_announces": "vhost.http_remux.has_audio vhost.http_remux.has_video vhost.http_remux.guess_has_av vhost.http_remux.drop_if_not_match",
    "flows/test_flow_choices.py the_start_of_an_audio_player": "vhost.http_remux.fast_cache",
    "flows/test_flow_hooks.py the_life_of_clients": "vhost.http_hooks.enabled vhost.http_hooks.on_connect vhost.http_hooks.on_close vhost.http_hooks.on_publish vhost.http_hooks.on_unpublish vhost.http_hooks.on_play vhost.http_hooks.on_stop",
    "flows/test_flow_hooks_files.py recordings_and_segments": "vhost.http_hooks.on_dvr vhost.http_hooks.on_hls vhost.http_hooks.on_hls_notify vhost.hls.hls_nb_notify vhost.hls.hls_on_error",
    "test_refer.py the_list_of_the_action": "vhost.refer.enabled vhost.refer.all vhost.refer.publish vhost.refer.play",
    "flows/test_flow_security.py an_address_that_is_not_allowed": "vhost.security.enabled vhost.security",
    "flows/test_flow_record.py only_the_streams": "vhost.dvr.enabled vhost.dvr.dvr_apply vhost.dvr.dvr_path",
    "flows/test_flow_record.py segments_have_all_frames": "vhost.dvr.dvr_plan vhost.dvr.dvr_duration",
    "flows/test_flow_record.py times_go_on": "vhost.dvr.time_jitter",
    "test_filecutter.py without_waiting_for_keyframes": "vhost.dvr.dvr_wait_keyframe",
    "flows/test_flow_reload_streams.py hls_of_a_running_stream": "vhost.hls.enabled vhost.hls.hls_fragment vhost.hls.hls_window",
    "flows/test_flow_hls.py files_are_there": "vhost.hls.hls_path",
    "test_hls_reload.py templates_act": "vhost.hls.hls_m3u8_file vhost.hls.hls_ts_file",
    "test_routes.py a_route_knows": "vhost.hls.hls_fmp4_file vhost.hls.hls_init_file",
    "test_hls.py fragmented_mp4": "vhost.hls.hls_use_fmp4",
    "test_hls.py the_session_stays_out": "vhost.hls.hls_entry_prefix vhost.hls.hls_ts_ctx vhost.hls.hls_master_m3u8_path_relative",
    "test_hls.py a_track_can_be_left_out": "vhost.hls.hls_acodec vhost.hls.hls_vcodec",
    "test_hls_files.py files_stay_where_cleanup": "vhost.hls.hls_cleanup",
    "test_hls_files.py all_files_go": "vhost.hls.hls_dispose",
    "test_hls_files.py a_restart_that_does_not_recover": "vhost.hls.hls_recover",
    "test_hls_reload.py pictures_begin_segments": "vhost.hls.hls_wait_keyframe",
    "flows/test_flow_hls.py a_viewer_is_a_client": "vhost.hls.hls_ctx",
    "test_hls_keys.py a_key_is_deleted": "vhost.hls.hls_keys vhost.hls.hls_fragments_per_key",
    "test_hls_keys.py keys_for_another_server": "vhost.hls.hls_key_file vhost.hls.hls_key_file_path vhost.hls.hls_key_url",
    "test_edge_settings.py a_vhost_has": "vhost.cluster.mode vhost.cluster.vhost vhost.cluster.debug_srs_upnode",
    "test_edge_settings.py follow_client": "vhost.cluster.follow_client",
    "test_edge_settings.py token_traverse": "vhost.cluster.token_traverse",
    "test_edge_settings.py a_reload_moves": "vhost.cluster.origin",
    "test_edge_settings.py origins_are_asked": "vhost.cluster.protocol",
    "test_redirect.py rtmp_players_are_sent": "vhost.cluster.origin_cluster vhost.cluster.coworkers",
    "test_forward.py a_reload_begins_and_stops": "vhost.forward.enabled vhost.forward.destination",
    "test_forward_destination.py a_backend_is_asked": "vhost.forward.backend",
    "test_forward_destination.py rtmps_takes": "vhost.forward.rtmps",
    "test_settings_shown.py each_option": "vhost.tcp_nodelay vhost.out_ack_size",
}  # fmt: skip

OPTIONS = {
    # What is written in a vhost, and the option of a layer that it becomes; that layer's own tests show it acting.
    "chunk_size 4096;": ("rtmp.chunk_size", 4096),
    "in_ack_size 77;": ("rtmp.in_ack_size", 77),
    "out_ack_size 99;": ("rtmp.out_ack_size", 99),
    "tcp_nodelay off;": ("publish.stream.nodelay", False),
    "play { gop_cache off; }": ("publish.stream.gop_cache", False),
    "play { gop_cache_max_frames 7; }": ("publish.stream.gop_frames_max", 7),
    "play { atc on; }": ("publish.stream.jitter.value", "off"),
    "play { time_jitter zero; }": ("publish.stream.jitter.value", "zero"),
    "play { atc_auto on; }": ("publish.stream.atc_auto", True),
    "play { mix_correct on; }": ("publish.stream.interleave", True),
    "play { reduce_sequence_header on; }": ("publish.stream.reduce_sequence_header", True),
    "play { mw_latency 40; }": ("publish.stream.merge_window_ms", 40),
    "publish { firstpkt_timeout 1500; }": ("publish.first_media", 1.5),
    "publish { normal_timeout 2500; }": ("publish.silence", 2.5),
    "publish { kickoff_for_idle 3; }": ("publish.idle", 3.0),
    "dvr { enabled on; dvr_wait_keyframe off; }": ("record.wait_key", False),
    "dvr { enabled on; time_jitter off; }": ("record.keep_times", True),
    "dvr { enabled on; dvr_plan segment; dvr_duration 9; }": ("record.most_ms", 9000),
    "hls { enabled on; hls_wait_keyframe off; }": ("hls.wait_key", False),
    "hls { enabled on; hls_dispose 3; }": ("hls.dispose_seconds", 3),
}


def srs_settings() -> set[str]:
    """The directives of SRS that some code reads."""
    found = set()
    for path, block in every_setting():
        directive = DIRECTIVES.get(path, path)
        if not block and unused(path) is None and directive not in EXTENSIONS and path not in EXTENSIONS:
            found.add(directive)
    return found


def test_each_setting_of_srs_that_has_an_effect_is_shown_by_one_test() -> None:
    shown = [setting for settings in SHOWN.values() for setting in settings.split()]
    assert len(shown) == len(set(shown))
    assert set(shown) == srs_settings()


@pytest.mark.parametrize("reference", SHOWN)
def test_the_test_that_shows_a_setting_is_there(reference: str) -> None:
    file, _, words = reference.partition(" ")
    names = [
        node.name
        for node in ast.walk(ast.parse((TESTS / file).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert any(name.startswith(f"test_{words}") for name in names)


@pytest.mark.parametrize(("text", "expected"), OPTIONS.items())
def test_each_option_of_a_layer_is_what_the_vhost_says(text: str, expected: tuple[str, object]) -> None:
    path, value = expected

    def option(body: str) -> object:
        found: object = compile_runtime(load_text(f"{BASE} vhost a {{ {body} }}"), 1).vhosts["a"]
        for name in path.split("."):
            found = getattr(found, name)
        return found

    assert option(text) == value
    block = text.partition("{")[0]
    enabled = f"{block}{{ enabled on; }}" if "enabled on;" in text else ""
    assert option(enabled) != value
