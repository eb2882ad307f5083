//! Routes.

managed_endpoints!(
    Route, RouteList { routes }, "/api/alerts/routes", "/api/alerts/routes/{id}",
    list: {
        /// Routes
        ///
        /// Returns the routes in no particular order. `parent` and `position` define the tree.
    },
    get: {
        /// One route
    },
    create: {
        /// Add a route
    },
    update: {
        /// Change a route
        ///
        /// Replaces the whole route. A route of the configuration cannot be changed (409). `If-Match` contains the
        /// version that the change is based on.
    },
    delete: {
        /// Delete a route
        ///
        /// Returns 409 while other routes are nested in the route, and for a route of the configuration.
    },
);
