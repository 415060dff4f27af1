"""Answers of the recording API are as the document of the API says."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator
from model.apisite import gop, looped, running


@looped
async def test_answers_of_the_recording_api_are_as_the_document_says(tmp_path):
    async with running(default=f"record_path {tmp_path};") as caller:
        gop(caller, caller.publish())
        paths = json.loads((await caller.raw("/api/v1/openapi.json"))[2])["paths"]

        async def ask(method: str, template: str, path: str, expected: int) -> None:
            status, _, body = await caller.raw(path, method=method)
            assert status == expected
            content = paths[template][method.lower()]["responses"][str(status)]["content"]
            Draft202012Validator(content["application/json"]["schema"]).validate(json.loads(body))

        for verb, method in (("status", "GET"), ("start", "POST"), ("status", "GET"), ("stop", "POST")):
            await ask(method, f"/flv/record/{verb}/{{stream}}", f"/flv/record/{verb}/live/a", 200)
        await ask("POST", "/flv/record/start/{stream}", "/flv/record/start/live/none", 404)
        await ask("GET", "/flv/record/list", "/flv/record/list", 200)
        await ask("GET", "/api/v1/recordings", "/api/v1/recordings?count=1", 200)
        await ask("DELETE", "/api/v1/recordings/{id}", "/api/v1/recordings/live/none.flv", 404)
