//! How changes are followed: watches, and lists where watching is forbidden.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use kube::Resource;
use kube::api::{ApiResource, DynamicObject};
use kube::core::DynamicResourceScope;
use kube::runtime::{WatchStreamExt, watcher};
use serde::de::DeserializeOwned;

use super::{Cluster, Remedy, WatchFailure};
use crate::error::Result;
use crate::object::ObjectReference;
use crate::waiting;

/// How often lists are read where watching is forbidden.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

impl Cluster {
    /// Watches all objects of a kind in a namespace, or in all namespaces; errors are retried with a growing pause and shown to the caller.
    ///
    /// Where watching is forbidden, lists are read every few seconds instead.
    pub fn watch<K>(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
    ) -> impl Stream<Item = Result<watcher::Event<K>, WatchFailure>> + Send + use<K>
    where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + 'static,
    {
        let (api, place) = self.api_in::<K>(resource, namespace);
        let what = format!("cannot watch {} in {place}", resource.plural);
        let cluster = self.clone();
        let watched = watcher(api, watcher::Config::default())
            .default_backoff()
            .map_err(move |error| cluster.watch_failure(&what, error));
        let is_forbidden = std::sync::Arc::new(AtomicBool::new(false));
        let noticed = is_forbidden.clone();
        watched
            .inspect_err(move |failure| {
                if failure.remedy == Remedy::Lists {
                    noticed.store(true, Ordering::Relaxed);
                }
            })
            // Ends one item late, so that the failure itself is still seen.
            .scan(false, move |ended, item| {
                let was_ended = std::mem::replace(ended, is_forbidden.load(Ordering::Relaxed));
                std::future::ready((!was_ended).then_some(item))
            })
            .chain(self.clone().poll(resource.clone(), namespace.map(str::to_owned)))
    }

    /// Reads a list every few seconds, in the form of a watch that starts again each time.
    fn poll<K>(
        self,
        resource: ApiResource,
        namespace: Option<String>,
    ) -> impl Stream<Item = Result<watcher::Event<K>, WatchFailure>> + Send
    where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + 'static,
    {
        futures::stream::unfold((self, resource, namespace), |(cluster, resource, namespace)| async move {
            waiting::pause(POLL_INTERVAL).await;
            let events = match cluster.list_in::<K>(&resource, namespace.as_deref()).await {
                Ok(objects) => std::iter::once(watcher::Event::Init)
                    .chain(objects.into_iter().map(watcher::Event::InitApply))
                    .chain(std::iter::once(watcher::Event::InitDone))
                    .map(Ok)
                    .collect(),
                Err(error) => vec![Err(WatchFailure { error, remedy: Remedy::Time })],
            };
            Some((futures::stream::iter(events), (cluster, resource, namespace)))
        })
        .flatten()
    }

    /// Returns an object as it is, and again whenever it has changed; `None` while there is none. The stream does not end, and
    /// goes on after an error, with a growing pause.
    pub(crate) fn follow(
        &self,
        reference: &ObjectReference,
    ) -> impl Stream<Item = Result<Option<DynamicObject>>> + Send + use<> {
        let what = format!("cannot watch {}", reference.display());
        let cluster = self.clone();
        watcher::watch_object(self.api(reference), &reference.name)
            .default_backoff()
            .map_err(move |error| cluster.watch_failure(&what, error).error)
    }
}
