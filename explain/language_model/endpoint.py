"""A language model behind an OpenAI-compatible endpoint (vLLM, Ollama, llama.cpp's server).

Used by the model process alone, and only where the operator names an endpoint. What is sent is a
prompt: kinds, slot names and sentences of our own tables, never a value or an identity.
"""

from __future__ import annotations

import json
import time
from urllib.parse import urlsplit

import httpx

from explain.language_model.message import Message
from explain.language_model.reasons import EndpointError

MAX_BYTES = 65_536
"""A larger answer is invalid: a sentence has some hundred bytes."""
MAX_TOKENS = 80
TEMPERATURE = 0.8
"""Of words that are drawn."""
TIMEOUT_SECONDS = 60.0
"""Where the question names none."""
TIME_SHARE = 0.9
"""Share of a question's time that the endpoint has, so that its slowness is reported as such."""


class Endpoint:
    """Asks ``POST {url}/chat/completions``.

    Args:
        url: up to the version, as in ``http://127.0.0.1:11434/v1``.
        model: what the endpoint calls it.
        key: sent as a bearer token; empty: none is.
    """

    tuned = False

    def __init__(self, url: str, model: str, key: str = ""):
        self._url, self._model = url.rstrip("/"), model
        self._client = httpx.Client(headers={"Authorization": f"Bearer {key}"} if key else {})
        self.identity = f"{model}@{urlsplit(url).netloc.rpartition('@')[2]}"

    def write(self, messages: list[Message], seconds: float = 0, seed: int = 0) -> str:
        """The answer, as it is: the likeliest words, or words drawn by a seed above 0.

        Raises:
            EndpointError: there is none in time, or it is no answer.
        """
        asked = {
            "model": self._model,
            "messages": messages,
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
        }
        if seed:
            asked |= {"temperature": TEMPERATURE, "seed": seed}
        return _content(
            self._post("chat/completions", asked, seconds * TIME_SHARE or TIMEOUT_SECONDS)
        )

    def reach(self, seconds: float = 5) -> None:
        """Ask for the list of models, to see whether anything answers.

        Raises:
            EndpointError: nothing does, or it refuses.
        """
        self._post("models", None, seconds)

    def _post(self, path: str, body: object, seconds: float) -> bytes:
        end = time.monotonic() + seconds
        method = "GET" if body is None else "POST"
        try:
            with self._client.stream(
                method, f"{self._url}/{path}", json=body, timeout=seconds
            ) as response:
                _check_status(response.status_code)
                return _read(response, end)
        except httpx.TimeoutException as error:
            raise EndpointError("endpoint_slow", type(error).__name__) from None
        except (httpx.DecodingError, httpx.ProtocolError) as error:
            raise EndpointError("endpoint_nonsense", type(error).__name__) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise EndpointError("endpoint_down", type(error).__name__) from None


def _check_status(status: int) -> None:
    if status >= 500:
        raise EndpointError("endpoint_failed", f"status {status}")
    if status != 200:
        raise EndpointError("endpoint_refused", f"status {status}")


def _read(response: httpx.Response, end: float) -> bytes:
    """The body, if it is small and complete before ``end``, however slowly it arrives."""
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            raise EndpointError("endpoint_nonsense", f"more than {MAX_BYTES} bytes")
        if time.monotonic() > end:
            raise EndpointError("endpoint_slow", "the body arrives too slowly")
    return body


def _content(body: bytes) -> str:
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise EndpointError("endpoint_nonsense", type(error).__name__) from None
    if not isinstance(content, str):
        raise EndpointError("endpoint_nonsense", f"content is {type(content).__name__}")
    return content.strip()
