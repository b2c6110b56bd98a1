"""A real Kubernetes control plane on loopback: etcd and API server with RBAC and an audit log, without nodes.

    def test_something(control_plane, namespace):             # fixtures of tests/integration/operator
        user = control_plane.user(namespace, "operator", [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]},
        ])                                                    # cluster_rules=[…] for a ClusterRole
        control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=manifest)      # as the administrator
        control_plane.kubectl("get", "cm", kubeconfig=user.kubeconfig, check=False)     # as the user
        control_plane.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")      # JSON, 100 times faster
        verbs = Counter(record["verb"] for record in control_plane.audit(user.name))
        user.login(seconds=-1)                                # writes an expired token to the file `user.token`

    def test_fault(own_control_plane):
        plane = own_control_plane()                           # controller_manager=True deletes namespaces
        plane.kill_api_server(); plane.start_api_server()     # on the same port
        plane.restart_api_server()
        plane.compact()                                       # older resourceVersions get a 410

All tests of all pytest workers share the test run's control plane. Each test therefore uses only its own `namespace`,
and reads `audit()` by user. The fixture `crd_installed` is the same control plane after deploy/operator was applied.
`manifests.install(plane)` applies it to a single test's control plane.
"""
