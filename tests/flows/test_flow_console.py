"""The console in Chromium, as an operator uses it: everything by the API of the server, and nothing asked of anybody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clip import Clip, end, push
from pagedriver import PageDriver, need_page
from player import Player
from reloading import ChangingServer, Make
from server import HOST, Server, until, vhost_text

pytestmark = pytest.mark.timeout(300)

API = "http_api { enabled on;"
OPEN = "http_api { enabled on; raw_api { enabled on; allow_reload on; }"
VIEWS = "overview streams players publishers recordings publish cluster configuration logs"
PHONE, DESK = (390, 844), (1280, 800)


@pytest.fixture
def site(make: Make, film: Clip, tmp_path: Path) -> Iterator[ChangingServer]:
    """A server with one stream, whose API reloads and whose past is kept."""
    need_page("/console/")
    more = f"timeshift {{ window 60; }} record_path {tmp_path}/recordings;"
    server = make(vhost_text(play="mw_latency 0;", more=more))
    server.change((API, OPEN))
    publisher = push(film.path, server.publish_url("film"), loop=True)
    try:
        until(lambda: "film" in server.streams(), "a stream", 20)
        yield server
    finally:
        end(publisher)


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[PageDriver]:
    with PageDriver(tmp_path / "profile") as driver:
        yield driver


def visit(chromium: PageDriver, server: ChangingServer, view: str = "overview") -> None:
    code = """
        await page.goto(args.url);
        await page.locator("main h1").waitFor();
    """
    chromium.run(code, url=f"http://{HOST}:{server.api}/console/#/{view}")


def moves(chromium: PageDriver, selector: str) -> dict[str, float]:
    """Wait until the video plays; return how far its time and its pictures moved within a second."""
    code = """
        await page.waitForFunction((at) => {
          const video = document.querySelector(at);
          return video && video.currentTime > 0 && video.getVideoPlaybackQuality().totalVideoFrames > 2;
        }, args.selector);
        const look = () => page.evaluate((at) => {
          const video = document.querySelector(at);
          return [video.currentTime, video.getVideoPlaybackQuality().totalVideoFrames];
        }, args.selector);
        const [time, frames] = await look();
        await page.waitForFunction(
          ([at, before]) => document.querySelector(at).currentTime > before + 1, [args.selector, time],
        );
        const [later, more] = await look();
        return { time: later - time, frames: more - frames };
    """
    answer = chromium.run(code, selector=selector)
    assert isinstance(answer, dict)
    return answer


@pytest.mark.slow
def test_the_overview_shows_what_is_live_and_its_picture_moves(
    site: ChangingServer, chromium: PageDriver
) -> None:
    visit(chromium, site)
    moved = moves(chromium, ".streamcard video")
    assert moved["time"] > 1 and moved["frames"] > 3, moved
    shown = chromium.run("return await page.locator('.streamcard .about b').innerText();")
    assert shown == "/live/film"
    assert chromium.problems == []


@pytest.mark.slow
def test_an_hour_of_trends_costs_a_page_little_memory(site: ChangingServer, chromium: PageDriver) -> None:
    # The page has half an hour of samples, then a whole one: what code and buffers take is in both.
    code = """
        const step = 5000;
        const begun = Date.now() - 720 * step;
        let [asked, known] = [0, 360];
        await page.route("**/api/v1/trends?*", async (route) => {
          const after = Number(new URL(route.request().url()).searchParams.get("after"));
          const answer = await (await route.fetch()).json();
          const times = [...Array(known).keys()].map((at) => begun + at * step).filter((time) => time > after);
          const trends = { step_seconds: 5, time_ms: times };
          for (const key of Object.keys(answer.trends)) {
            if (!(key in trends)) trends[key] = times.map((time) => 100 + ((time / step) % 7) + (key === "cpu" ? 0.5 : 0));
          }
          await route.fulfill({ json: { ...answer, trends } });
          asked += 1;
        });
        const settle = async () => {
          for (const until = asked + 3; asked < until; ) await page.waitForTimeout(200);
        };
        const own = await context.newCDPSession(page);
        const heap = async () => {
          await own.send("HeapProfiler.collectGarbage");
          return (await own.send("Runtime.getHeapUsage")).usedSize;
        };
        await page.goto(args.url);
        await settle();
        const before = await heap();
        known = 720;
        await settle();
        return (await heap()) - before;
    """
    more = chromium.run(code, url=f"http://{HOST}:{site.api}/console/#/overview")
    assert more < 180_000, more
    print(f"half an hour of trends: {more / 1000:.0f} kB")


@pytest.mark.slow
def test_a_player_is_disconnected_by_its_button(site: ChangingServer, chromium: PageDriver) -> None:
    visit(chromium, site, "players")
    with Player(site.http, "/live/film.flv") as player:
        player.head()
        code = """
            const row = page.locator("table.rows tbody tr", { hasText: "HTTP-FLV" }).first();
            await row.waitFor();
            const lag = await row.locator("[data-label=Lag]").innerText();
            await row.getByRole("button", { name: /^Disconnect/ }).click();
            await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
            await page.getByRole("dialog").waitFor({ state: "detached" });
            return lag;
        """
        assert "ms" in chromium.run(code)
        until(lambda: not any(not row["publish"] for row in site.clients()), "the end of the player", 10)
    chromium.run("""
        await page.getByRole("button", { name: "Gone" }).click();
        await page.locator("td", { hasText: "disconnected by the API" }).first().waitFor();
    """)
    assert chromium.problems == []


@pytest.mark.slow
def test_a_recording_is_started_stopped_played_and_cut(
    site: ChangingServer, chromium: PageDriver, tmp_path: Path
) -> None:
    visit(chromium, site, "streams")
    chromium.run("""
        await page.locator(".streamcard").click();
        await page.getByRole("button", { name: "Start recording" }).click();
        await page.getByRole("button", { name: "Stop recording" }).waitFor();
    """)
    until(
        lambda: (
            site.ask("recordings")["recordings"] and site.ask("recordings")["recordings"][0]["duration"] > 4
        ),
        "four seconds of a recording",
        30,
    )
    chromium.run("""
        await page.getByRole("button", { name: "Stop recording" }).click();
        await page.getByRole("button", { name: "Start recording" }).waitFor();
    """)
    until(lambda: site.ask("recordings")["recordings"][0]["state"] == "finished", "a finished file", 20)
    visit(chromium, site, "recordings")
    chromium.run("await page.getByRole('button', { name: /^Play live.film/ }).click();")
    assert moves(chromium, "dialog video")["frames"] > 3
    clip = tmp_path / "clip.flv"
    code = """
        await page.evaluate(() => {
          const [from, to] = document.querySelectorAll(".cut input[type=range]");
          const set = (at, value) => {
            at.value = String(value);
            at.dispatchEvent(new Event("input", { bubbles: true }));
          };
          set(from, 1);
          set(to, 3);
        });
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.getByRole("button", { name: /^Save clip/ }).click(),
        ]);
        await download.saveAs(args.path);
    """
    chromium.run(code, path=str(clip))
    assert clip.read_bytes()[:3] == b"FLV"
    whole = site.ask("recordings")["recordings"][0]["size"]
    assert 10_000 < clip.stat().st_size < whole
    assert chromium.problems == []


@pytest.mark.slow
def test_a_clip_of_the_past_is_shown_and_saved(
    site: ChangingServer, chromium: PageDriver, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.mp4"
    visit(chromium, site, "streams")
    code = """
        await page.locator(".streamcard").click();
        await page.waitForTimeout(3000);
        await page.getByRole("button", { name: "Show" }).click();
        await page.waitForFunction(() => document.querySelector(".clip video")?.currentTime > 0.5);
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.getByRole("button", { name: "Save clip" }).click(),
        ]);
        await download.saveAs(args.path);
    """
    chromium.run(code, path=str(clip))
    assert clip.read_bytes()[4:8] == b"ftyp"
    assert chromium.problems == []


@pytest.mark.slow
def test_a_changed_configuration_shows_its_plan_and_is_put_in_force(
    site: ChangingServer, chromium: PageDriver
) -> None:
    visit(chromium, site, "configuration")
    site.edit(("mw_latency 0;", "mw_latency 120;"), ("max_connections 1000;", "max_connections 900;"))
    shown = chromium.run("""
        await page.getByRole("button", { name: /reload change/ }).click();
        await page.locator(".report .changes").first().waitFor();
        return await page.locator(".report").innerText();
    """)
    assert "max_connections" in shown and "900" in shown and "mw_latency" in shown and "120" in shown
    assert site.ask("config")["configuration"]["number"] == 2
    shown = chromium.run("""
        await page.getByRole("button", { name: "Reload", exact: true }).click();
        await page.getByText("Configuration 3 is in force").waitFor();
        const row = page.locator(".settings tr", { hasText: /max_connections.*900/s });
        await row.waitFor();
        return await row.innerText();
    """)
    assert "server.conf:2" in shown
    shown = chromium.run("""
        await page.goto(page.url().replace("configuration", "logs"));
        await page.locator(".loglines li", { hasText: "max_connections: 1000 -> 900" }).waitFor();
        await page.getByRole("button", { name: "Errors" }).click();
        await page.getByText("No line of that level is kept.").waitFor();
        return true;
    """)
    assert shown and chromium.problems == []


@pytest.mark.slow
def test_addresses_to_publish_are_copied_and_shown_as_a_code(
    site: ChangingServer, chromium: PageDriver
) -> None:
    visit(chromium, site, "publish")
    chromium.run("await context.grantPermissions(['clipboard-read', 'clipboard-write']);")
    copied = chromium.run("""
        await page.getByLabel("Stream", { exact: true }).fill("mine");
        await page.getByRole("img", { name: /^QR code of rtmp:.*mine$/ }).waitFor();
        await page.getByRole("button", { name: "Copy: Server" }).click();
        const server = await page.evaluate(() => navigator.clipboard.readText());
        await page.getByRole("button", { name: "Copy: Stream Key" }).click();
        return [server, await page.evaluate(() => navigator.clipboard.readText())];
    """)
    assert copied == [f"rtmp://{HOST}:{site.rtmp}/live", "mine"]
    assert chromium.problems == []


@pytest.mark.slow
def test_a_password_is_asked_for_by_the_page_and_kept_for_the_tab_alone(
    site: ChangingServer, chromium: PageDriver
) -> None:
    site.change((OPEN, f"{OPEN} auth {{ enabled on; username ann; password 'pass word'; }}"))
    chromium.run("""
        await page.goto(args.url);
        await page.getByLabel("Name").fill("ann");
        await page.getByLabel("Password").fill("wrong");
        await page.getByRole("button", { name: "Log in" }).click();
        await page.getByText("name or password is wrong").waitFor();
        await page.getByLabel("Password").fill("pass word");
        await page.getByRole("button", { name: "Log in" }).click();
        await page.locator(".tiles").waitFor();
    """, url=f"http://{HOST}:{site.api}/console/")  # fmt: skip
    assert moves(chromium, ".streamcard video")["frames"] > 3
    shown = chromium.run("""
        await page.reload();
        await page.locator(".tiles").waitFor();
        const other = await context.newPage();
        await other.goto(page.url());
        await other.getByLabel("Password").waitFor();
        await other.close();
        await page.getByRole("button", { name: "Log out" }).click();
        await page.getByLabel("Password").waitFor();
        return await page.evaluate(() => [sessionStorage.length, document.cookie]);
    """)
    assert shown == [0, ""]
    assert chromium.problems == []


@pytest.mark.slow
def test_a_server_that_is_read_only_shows_no_button_that_changes_anything(
    site: ChangingServer, chromium: PageDriver
) -> None:
    site.change((API, f"{API} read_only on;"))
    visit(chromium, site, "publishers")
    shown = chromium.run("""
        await page.locator(".publisher").waitFor();
        const buttons = await page.getByRole("button", { name: /Disconnect/ }).count();
        await page.goto(page.url().replace("publishers", "streams"));
        await page.locator(".streamcard").click();
        await page.getByRole("heading", { name: "Record" }).waitFor();
        const more = await page.getByRole("button", { name: /recording|Disconnect/ }).count();
        return [buttons, more, await page.getByRole("switch", { name: "View only" }).isDisabled()];
    """)
    assert shown == [0, 0, True]
    assert chromium.problems == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_no_view_has_a_serious_fault_of_accessibility_or_is_wider_than_the_screen(
    site: ChangingServer, chromium: PageDriver, size: tuple[int, int]
) -> None:
    chromium.run("await page.setViewportSize(args);", width=size[0], height=size[1])
    with Player(site.http, "/live/film.flv") as player:
        player.head()
        for scheme in ("dark", "light"):
            chromium.run("await page.emulateMedia({ colorScheme: args.scheme });", scheme=scheme)
            for view in VIEWS.split():
                visit(chromium, site, view)
                chromium.run("await page.waitForTimeout(600);")
                assert chromium.faults() == [], (view, scheme)
                wide = chromium.run("return await page.evaluate(() => document.documentElement.scrollWidth);")
                assert wide <= size[0], (view, wide)
                if view == "players":
                    # Who is meant is for screen readers alone: it is wider than a phone.
                    spoken = "return (await page.locator('.rows button .hidden .hidden').first().boundingBox()).width;"
                    assert chromium.run(spoken) < 2
    assert chromium.problems == []


@pytest.mark.slow
def test_the_console_is_used_by_keyboard(site: ChangingServer, chromium: PageDriver) -> None:
    visit(chromium, site)
    seen = chromium.run("""
        await page.keyboard.press("Tab");
        const skip = await page.evaluate(() => document.activeElement.innerText);
        await page.getByRole("link", { name: "Publishers" }).first().focus();
        await page.keyboard.press("Enter");
        const button = page.getByRole("button", { name: /^Disconnect the publisher/ });
        await button.focus();
        await page.keyboard.press("Enter");
        await page.getByRole("dialog").waitFor();
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
        return skip;
    """)
    assert "Skip" in seen
    assert "film" in site.streams()
    visit(chromium, site, "streams")
    chromium.run("""
        await page.locator(".streamcard").focus();
        await page.keyboard.press("Enter");
        await page.getByRole("button", { name: "Pause (k)" }).focus();
        await page.keyboard.press("m");
        await page.getByRole("button", { name: "Sound off" }).waitFor();
    """)
    assert chromium.problems == []


@pytest.mark.slow
def test_the_cluster_shows_origins_and_destinations_with_their_state(
    serve: Callable[..., Server], film: Clip, chromium: PageDriver
) -> None:
    need_page("/console/")
    origin, destination = serve(), serve()
    vhosts = (
        vhost_text(more=f"cluster {{ mode remote; origin {HOST}:{origin.rtmp}; }}")
        + f"vhost pub.example {{ forward {{ enabled on; destination {HOST}:{destination.rtmp} {HOST}:9; }} }}"
    )
    edge = serve(vhosts)
    publishers = [
        push(film.path, origin.publish_url("far"), loop=True),
        push(film.path, edge.publish_url("near") + "?vhost=pub.example", loop=True),
    ]
    try:
        until(lambda: origin.streams() and destination.streams(), "streams of both", 30)
        with Player(edge.http, "/live/far.flv") as player:
            player.head()
            shown = chromium.run(
                """
                await page.goto(args.url);
                await page.locator(".net .from .node.up").waitFor();
                await page.locator(".net .to .node.down").waitFor();
                await page.locator("td", { hasText: /far$/ }).first().waitFor();
                return await page.locator(".net").innerText();
                """,
                url=f"http://{HOST}:{edge.api}/console/#/cluster",
            )
    finally:
        for process in publishers:
            end(process)
    for port in (origin.rtmp, destination.rtmp, 9):
        assert f"rtmp://{HOST}:{port}" in shown, shown
    assert chromium.problems == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hevc_aac", "h264_alaw"])
def test_a_preview_names_the_codec_that_the_browser_lacks_and_plays_what_it_has(
    make: Make, chromium: PageDriver, clips: dict[str, Clip], name: str
) -> None:
    need_page("/console/")
    if name not in clips:
        pytest.skip(f"this ffmpeg cannot make {name} in FLV")
    server = make(vhost_text(play="mw_latency 0;"))
    publisher = push(clips[name].path, server.publish_url("odd"), loop=True)
    try:
        until(lambda: "odd" in server.streams(), "a stream", 20)
        visit(chromium, server, "streams")
        state, said = chromium.run("""
            const preview = page.locator(".streamcard .preview");
            await page.waitForFunction(() => ["playing", "unplayable"].includes(document.querySelector(".preview")?.dataset.state));
            return [await preview.getAttribute("data-state"), await preview.innerText()];
        """)
        chromium.run("await page.locator('.streamcard').click();")
        if state == "playing":
            assert moves(chromium, ".stage video")["frames"] > 3
        else:
            assert name == "hevc_aac" and "does not decode HEVC (H.265)" in said
            chromium.run(
                "await page.locator('.stage', { hasText: 'does not decode HEVC (H.265)' }).waitFor();"
            )
    finally:
        end(publisher)
    assert chromium.problems == []


@pytest.mark.slow
def test_a_page_that_is_older_than_its_server_loads_anew_when_a_script_is_gone(
    site: ChangingServer, chromium: PageDriver
) -> None:
    # The first answer is a page of another version: its scripts have names that the server does not know.
    chromium.run(
        """
        let pages = 0;
        await page.route("**/console/", async (route) => {
          pages += 1;
          if (pages > 1) return route.continue();
          const response = await route.fetch();
          await route.fulfill({ response, body: (await response.text()).replace(/index-[^"]+[.]js/, "old-$&") });
        });
        await page.route("**/old-*", async (route) => {
          const response = await route.fetch({ url: route.request().url().replace("old-", "") });
          const body = (await response.text()).replace(/(index|mark|header)-/g, "old-$1-").replace(/mpegts-/g, "gone-");
          await route.fulfill({ response, body });
        });
        await page.goto(args.url);
        await page.locator("main h1").waitFor();
        """,
        url=f"http://{HOST}:{site.api}/console/#/overview",
    )
    moves(chromium, ".streamcard video")
    scripts = chromium.run("return page.evaluate(() => [...document.scripts].map((each) => each.src));")
    assert scripts and not any("old-" in each for each in scripts), scripts


@pytest.mark.slow
def test_addresses_and_settings_can_be_read_on_a_phone(site: ChangingServer, chromium: PageDriver) -> None:
    chromium.run("await page.setViewportSize(args);", width=PHONE[0], height=PHONE[1])
    visit(chromium, site, "publish")
    wide = chromium.run("""
        const all = await page.locator(".copyline code").all();
        return await Promise.all(all.map(async (each) => (await each.boundingBox()).width));
    """)
    assert len(wide) > 4 and min(wide) > 200, wide
    visit(chromium, site, "configuration")
    high = chromium.run("""
        await page.locator(".settings .source").first().waitFor();
        const all = await page.locator(".settings .source").all();
        return await Promise.all(all.map(async (each) => (await each.boundingBox()).height));
    """)
    assert high and max(high) < 50, high


@pytest.mark.slow
def test_a_page_goes_on_by_itself_when_its_server_was_started_anew(make: Make, chromium: PageDriver) -> None:
    need_page("/console/")
    server = make()
    visit(chromium, server, "publish")
    old = server.ask("vhosts")["vhosts"][0]["id"]
    visit(chromium, server)
    chromium.run("await page.locator('.tiles').waitFor();")
    server.__exit__(None, None, None)
    chromium.run("await page.getByText('The page asks again by itself').waitFor();")
    server.__enter__()
    assert server.ask("vhosts")["vhosts"][0]["id"] != old
    chromium.run("""
        await page.getByText("The page asks again by itself").waitFor({ state: "detached" });
        await page.locator(".tiles").waitFor();
    """)
