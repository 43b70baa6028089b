"""Published events in faust-streaming: typed topics, an app for them, a sink that writes each event once."""

from shardlog.client.published import Published
from shardlog.faust.app import PublishedApp, published_app
from shardlog.faust.sink import SqlSink
from shardlog.faust.topics import events_topic

__all__ = ["Published", "PublishedApp", "SqlSink", "events_topic", "published_app"]
